using System.Collections.Concurrent;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;

namespace Limbeck.Inference;

/// <summary>Cuts a list of texts into packed batches and runs them on tapes that are kept for the next call. Thread-safe.</summary>
/// <remarks>
/// Where there is enough to do, every thread takes whole batches through the whole model, alone: its activations then stay in its own cache and no
/// thread waits for another between two layers. What is too little for that is one batch, whose every product all threads share.
/// </remarks>
internal sealed class PackedRunner(ModelOptions options) : IDisposable
{
    // With fewer tokens a thread is better off with a part of each product: reading all weights would take it longer than computing.
    private const int SmallestBatch = 96;

    // Batches a thread computes before the team is free for others who call: a short text need not wait for the end of a long list.
    private const int BatchesInTurn = 2;

    private readonly ConcurrentBag<Tape> tapes = [];

    /// <summary>Runs all sequences in the order given; nothing is padded, so their lengths need not be alike.</summary>
    /// <param name="sequences">Ids and segment ids of each.</param>
    /// <param name="run">Computes one batch; gets the tape, the batch and the numbers of its sequences. Called from several threads at once.</param>
    /// <param name="cancellation">Checked before each batch.</param>
    public void Run(IReadOnlyList<(int[] Ids, int[] TypeIds)> sequences, Action<Tape, PackedBatch, int[]> run, CancellationToken cancellation)
    {
        WorkerTeam team = options.Team ?? WorkerTeam.Default;
        int[] starts = Cut([.. sequences.Select(sequence => sequence.Ids.Length)], team.Threads, options.TokensAtOnce);
        if (starts.Length - 1 < team.Threads)
        {
            for (int i = 0; i < starts.Length - 1; i++)
            {
                RunBatch(i);
            }
        }
        else
        {
            int turn = BatchesInTurn * team.Threads;
            for (int first = 0; first < starts.Length - 1; first += turn)
            {
                int start = first;
                team.Run(Math.Min(turn, starts.Length - 1 - first), i => RunBatch(start + i));
            }
        }

        void RunBatch(int batch)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] numbers = [.. Enumerable.Range(starts[batch], starts[batch + 1] - starts[batch])];
            Tape tape = tapes.TryTake(out Tape? kept) ? kept : new Tape(recording: false, team) { Precision = options.Precision };
            try
            {
                run(tape, PackedBatch.Pack([.. numbers.Select(i => sequences[i])]), numbers);
            }
            finally
            {
                tape.Reset();
                tapes.Add(tape);
            }
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

    /// <summary>Cuts sequences into batches of about the same number of tokens, as many as keep all threads busy to the end.</summary>
    /// <param name="lengths">Tokens of each sequence.</param>
    /// <param name="threads">Threads to keep busy.</param>
    /// <param name="most">About how many tokens a batch has at most.</param>
    /// <returns>The first sequence of each batch, and the number of sequences at the end.</returns>
    internal static int[] Cut(int[] lengths, int threads, int most)
    {
        long tokens = lengths.Sum(length => (long)length);
        long batches = Math.Max(1, (tokens + most - 1) / most);
        if (tokens >= (long)threads * SmallestBatch)
        {
            batches = (batches + threads - 1) / threads * threads;
        }

        List<int> starts = [0];
        long done = 0;
        for (int i = 0; i < lengths.Length; i++)
        {
            // A sequence belongs to the batch in which its middle lies.
            long batch = Math.Min(batches - 1, ((2 * done) + lengths[i]) * batches / Math.Max(1, 2 * tokens));
            if (batch >= starts.Count && i > starts[^1])
            {
                starts.Add(i);
            }

            done += lengths[i];
        }

        if (lengths.Length > 0)
        {
            starts.Add(lengths.Length);
        }

        return [.. starts];
    }
}
