using Limbeck.Tensors.Threading;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Jobs;

/// <summary>What a job runs with, whatever it does.</summary>
/// <param name="Messages">Where a user reads what is going on: standard error.</param>
/// <param name="Progress">Shows how far training is.</param>
/// <param name="Team">The threads to compute on.</param>
/// <param name="Cancellation">When it is signalled the job writes a checkpoint and stops.</param>
public sealed record JobContext(TextWriter Messages, ProgressDisplay Progress, WorkerTeam Team, CancellationToken Cancellation);
