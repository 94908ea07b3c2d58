using System.Collections.Concurrent;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;

namespace Limbeck.Inference;

/// <summary>Cuts a list of texts into packed batches of a bounded number of tokens and runs them on tapes that are kept for the next call. Thread-safe.</summary>
internal sealed class PackedRunner(ModelOptions options) : IDisposable
{
    private readonly ConcurrentBag<Tape> tapes = [];

    /// <summary>Runs all sequences in the order given; nothing is padded, so their lengths need not be alike.</summary>
    /// <param name="sequences">Ids and segment ids of each.</param>
    /// <param name="run">Computes one batch; gets the tape, the batch and the numbers of its sequences.</param>
    /// <param name="cancellation">Checked before each batch.</param>
    public void Run(IReadOnlyList<(int[] Ids, int[] TypeIds)> sequences, Action<Tape, PackedBatch, int[]> run, CancellationToken cancellation)
    {
        if (sequences.Count == 0)
        {
            return;
        }

        Tape tape = tapes.TryTake(out Tape? kept) ? kept : new Tape(recording: false, options.Team ?? WorkerTeam.Default);
        try
        {
            int start = 0;
            while (start < sequences.Count)
            {
                cancellation.ThrowIfCancellationRequested();
                int end = start;
                int tokens = 0;
                while (end < sequences.Count && (end == start || tokens + sequences[end].Ids.Length <= options.TokensAtOnce))
                {
                    tokens += sequences[end].Ids.Length;
                    end++;
                }

                int[] numbers = [.. Enumerable.Range(start, end - start)];
                run(tape, PackedBatch.Pack([.. numbers.Select(i => sequences[i])]), numbers);
                tape.Reset();
                start = end;
            }
        }
        finally
        {
            tape.Reset();
            tapes.Add(tape);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (tapes.TryTake(out Tape? tape))
        {
            tape.Dispose();
        }
    }
}
