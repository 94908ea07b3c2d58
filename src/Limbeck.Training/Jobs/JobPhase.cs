namespace Limbeck.Training.Jobs;

/// <summary>How far a job goes.</summary>
internal enum JobPhase
{
    /// <summary>Opens and checks all that can be had without writing anything, and makes the plan.</summary>
    PlanOnly,

    /// <summary>The same, and scores the teacher, which may take minutes: before a run of many hours.</summary>
    CheckedPlan,

    /// <summary>Says the plan, then runs.</summary>
    Whole,

    /// <summary>Runs; the plan has been said.</summary>
    AfterPlan,
}
