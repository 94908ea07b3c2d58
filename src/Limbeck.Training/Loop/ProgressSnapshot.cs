namespace Limbeck.Training.Loop;

/// <summary>What a progress line tells.</summary>
/// <param name="Stage">The stage's name, or an empty string.</param>
/// <param name="Step">Updates done.</param>
/// <param name="TotalSteps">Updates in all; 0 or less when not known.</param>
/// <param name="Loss">The loss, or null.</param>
/// <param name="TokensPerSecond">Real tokens a second; 0 when not known.</param>
/// <param name="Elapsed">Time since this process began the stage.</param>
/// <param name="Remaining">Time left as it looks now, or null while nothing is known.</param>
public readonly record struct ProgressSnapshot(
    string Stage, long Step, long TotalSteps, double? Loss, double TokensPerSecond, TimeSpan Elapsed, TimeSpan? Remaining);
