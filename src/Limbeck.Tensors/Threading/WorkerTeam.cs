using System.Runtime.CompilerServices;

namespace Limbeck.Tensors.Threading;

/// <summary>A fixed team of threads that run the numbered tasks of one kernel together. The caller is one of the team.</summary>
/// <remarks>
/// What a task computes must depend on its number alone, never on the number of threads or on which thread runs it: that is what makes
/// results the same bits for any number of threads. Tasks are handed out by a counter, so an uneven machine does not stall the team.
/// </remarks>
public sealed unsafe class WorkerTeam : IDisposable
{
    private readonly Thread[] workers;
    private readonly object gate = new();
    private readonly object caller = new();
    private delegate*<void*, int, int, void> body;
    private void* state;
    private int taskCount;
    private int nextTask;
    private int running;
    private volatile int generation;
    private volatile bool disposed;

    /// <summary>Starts a team.</summary>
    /// <param name="threads">Threads in all, the caller included; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one thread.</exception>
    public WorkerTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        workers = new Thread[threads - 1];
        for (int i = 0; i < workers.Length; i++)
        {
            int index = i + 1;
            workers[i] = new Thread(() => Work(index)) { IsBackground = true, Name = $"limbeck worker {index}" };
            workers[i].Start();
        }
    }

    /// <summary>Number of threads, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Runs tasks 0..<paramref name="tasks"/>-1 and returns when all are done.</summary>
    /// <param name="tasks">Number of tasks.</param>
    /// <param name="body">Called as body(state, task, worker); worker is 0..Threads-1, for per-thread scratch. It must not throw.</param>
    /// <param name="state">Passed on.</param>
    public void Run(int tasks, delegate*<void*, int, int, void> body, void* state)
    {
        if (tasks <= 1 || workers.Length == 0)
        {
            for (int task = 0; task < tasks; task++)
            {
                body(state, task, 0);
            }

            return;
        }

        lock (caller)
        {
            this.body = body;
            this.state = state;
            taskCount = tasks;
            nextTask = 0;
            Volatile.Write(ref running, workers.Length);
            lock (gate)
            {
                generation++;
                Monitor.PulseAll(gate);
            }

            Drain(0);
            SpinWait spin = default;
            while (Volatile.Read(ref running) > 0)
            {
                spin.SpinOnce(-1);
            }
        }
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        disposed = true;
        lock (gate)
        {
            generation++;
            Monitor.PulseAll(gate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Drain(int worker)
    {
        int task;
        while ((task = Interlocked.Increment(ref nextTask) - 1) < taskCount)
        {
            body(state, task, worker);
        }
    }

    private void Work(int index)
    {
        int seen = 0;
        while (true)
        {
            for (int spin = 0; generation == seen && spin < 2000; spin++)
            {
                Thread.SpinWait(10);
            }

            if (generation == seen)
            {
                lock (gate)
                {
                    while (generation == seen)
                    {
                        Monitor.Wait(gate);
                    }
                }
            }

            seen = generation;
            if (disposed)
            {
                return;
            }

            Drain(index);
            Interlocked.Decrement(ref running);
        }
    }
}
