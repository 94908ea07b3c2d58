using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>One stage of a job that has not begun: how much it reads, and about how long that takes.</summary>
/// <param name="Name">general, augment, intermediate, prediction, alone, finetune or pretrain.</param>
/// <param name="Rows">Rows or sequences of one pass.</param>
/// <param name="Epochs">Passes that are begun; a limit of updates or tokens may cut the last one short.</param>
/// <param name="Tokens">Tokens of all passes.</param>
/// <param name="Steps">Updates; 0 for a stage that trains nothing.</param>
/// <param name="Seconds">An estimate of its time, the teacher's included.</param>
/// <param name="MaxLength">The longest input in tokens.</param>
/// <param name="About">Whether rows, tokens and updates are estimates too, because what they are counted from is not made yet.</param>
/// <param name="State">finished or begun where a folder has something of it already; otherwise empty.</param>
public sealed record PlannedStage(string Name, long Rows, int Epochs, long Tokens, long Steps, double Seconds, int MaxLength, bool About = false, string State = "")
{
    /// <summary>What a stage is called that a folder has whole.</summary>
    public const string Finished = "finished";

    /// <summary>What a stage is called that a folder has a part of.</summary>
    public const string Begun = "begun";

    /// <summary>Passes that so many updates begin.</summary>
    /// <param name="updates">Updates of the stage.</param>
    /// <param name="perEpoch">Updates of one pass; of the first, where they differ.</param>
    /// <param name="most">The stage's epochs.</param>
    internal static int PassesOf(long updates, long perEpoch, int most) => (int)Math.Clamp((updates + perEpoch - 1) / Math.Max(1, perEpoch), 0, most);

    /// <summary>Marks what a run that is to be resumed has done, by its last checkpoint.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="stages">Its stages.</param>
    internal static IReadOnlyList<PlannedStage> Reached(TrainingSettings settings, IReadOnlyList<PlannedStage> stages)
    {
        if (!settings.Resume || TrainingLoop.Reached(settings.OutputDir!) is not (int current, long step))
        {
            return stages;
        }

        return [.. stages.Select((stage, i) => i < current ? stage with { State = Finished }
            : i == current && step > 0 ? stage with { State = Begun, Seconds = stage.Seconds * (1 - Math.Min(1, (double)step / Math.Max(1, stage.Steps))) }
            : stage)];
    }
}
