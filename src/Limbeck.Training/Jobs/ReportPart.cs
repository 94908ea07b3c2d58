namespace Limbeck.Training.Jobs;

/// <summary>One part of a run of several stages.</summary>
/// <param name="Name">general, augment or task.</param>
/// <param name="Steps">Updates made; 0 for one that trains nothing.</param>
/// <param name="Tokens">Tokens trained on, or read by the augmentation in this run.</param>
/// <param name="Seconds">Seconds of training, without the filling of caches; those before a resume included where it trains; the augmentation's in this run.</param>
public sealed record ReportPart(string Name, long Steps, long Tokens, double Seconds);
