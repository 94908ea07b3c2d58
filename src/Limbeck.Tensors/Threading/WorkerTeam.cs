using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Threading;

/// <summary>A fixed team of threads that run the numbered tasks of one kernel together. The caller is one of the team.</summary>
/// <remarks>
/// What a task computes must depend on its number alone (and on what tasks of smaller numbers have left, with <see cref="RunInOrder"/>), never on the number of threads or on which
/// thread runs it: that is what makes results the same bits for any number of threads. Each thread begins with a share of its own, tasks that follow one another: where
/// kernels cut their rows alike, it finds in its caches what it left there in the kernel before, and not in those of another core. A thread that has done its share
/// takes the last tasks of others', so an uneven machine does not stall the team; and
/// the caller waits for tasks, not for threads: a thread that the system has not woken yet delays nobody.
/// Callers on several threads take turns. A call from inside a task runs on the calling thread alone, in order.
/// </remarks>
public sealed unsafe class WorkerTeam : IDisposable
{
    // A waiting worker spins this long before it sleeps: the time between the kernels of a model's step, and little enough not to
    // disturb others on a shared machine.
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;

    private static readonly object DefaultGate = new();
    private static WorkerTeam? defaultTeam;
    private static int defaultThreads;

    [ThreadStatic]
    private static WorkerTeam? currentTeam;

    [ThreadStatic]
    private static int currentWorker;

    private readonly Thread[] workers;
    private readonly object bed = new();
    private readonly object caller = new();
    private delegate*<void*, int, int, void> body;
    private void* state;
    private int sleepers;
    private bool disposed;

    // What is left of each worker's share: the first task in the high half, then the end, and in the lowest bit whether others too take
    // the first and not the last. One atomic step takes a task; all shares are empty while the fields above change.
    private readonly Padded[] shares;

    // Jobs begun.
    private Padded jobs;

    // Tasks of the current job that are not done.
    private Padded pending;

    /// <summary>Starts a team.</summary>
    /// <param name="threads">Threads in all, the caller included; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one thread.</exception>
    public WorkerTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        workers = new Thread[threads - 1];
        shares = GC.AllocateArray<Padded>(threads, pinned: true);
        for (int i = 0; i < workers.Length; i++)
        {
            int index = i + 1;
            workers[i] = new Thread(() => Work(index)) { IsBackground = true, Name = $"limbeck worker {index}" };
            workers[i].Start();
        }
    }

    /// <summary>Number of physical cores that this process may use: /proc/cpuinfo where there is one, else <see cref="Environment.ProcessorCount"/>.</summary>
    public static int PhysicalCores { get; } = CountPhysicalCores();

    /// <summary>Threads of <see cref="Default"/>: what was set here, else LIMBECK_NUM_THREADS, else <see cref="PhysicalCores"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Set to less than 1.</exception>
    /// <exception cref="InvalidOperationException">Set after the first use of <see cref="Default"/>.</exception>
    public static int DefaultThreads
    {
        get
        {
            lock (DefaultGate)
            {
                return defaultThreads > 0 ? defaultThreads : ThreadsFromEnvironment();
            }
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            lock (DefaultGate)
            {
                if (defaultTeam is not null && defaultTeam.Threads != value)
                {
                    throw new InvalidOperationException(
                        $"The default worker team already runs with {defaultTeam.Threads} threads and cannot change to {value}: set the number of threads before the first computation.");
                }

                defaultThreads = value;
            }
        }
    }

    /// <summary>The team of the process, started on first use and never disposed. Its size is <see cref="DefaultThreads"/>.</summary>
    public static WorkerTeam Default
    {
        get
        {
            lock (DefaultGate)
            {
                return defaultTeam ??= new WorkerTeam(DefaultThreads);
            }
        }
    }

    /// <summary>Number of threads, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Runs tasks 0..<paramref name="tasks"/>-1, which are independent of each other, and returns when all are done.</summary>
    /// <param name="tasks">Number of tasks; none when 0 or less.</param>
    /// <param name="body">Called as body(state, task, worker); worker is 0..Threads-1, for per-thread scratch. It must not throw.</param>
    /// <param name="state">Passed on.</param>
    /// <exception cref="ObjectDisposedException">The team has ended.</exception>
    public void Run(int tasks, delegate*<void*, int, int, void> body, void* state) => Run(tasks, body, state, inOrder: false);

    /// <summary>The same for tasks that may wait for those of smaller numbers: a task is begun when all before it are.</summary>
    /// <param name="tasks">Number of tasks; none when 0 or less.</param>
    /// <param name="body">Called as body(state, task, worker); worker is 0..Threads-1, for per-thread scratch. It must not throw.</param>
    /// <param name="state">Passed on.</param>
    /// <exception cref="ObjectDisposedException">The team has ended.</exception>
    public void RunInOrder(int tasks, delegate*<void*, int, int, void> body, void* state) => Run(tasks, body, state, inOrder: true);

    /// <summary>Runs independent tasks that are not kernels: they may allocate and throw.</summary>
    /// <param name="tasks">Number of tasks; none when 0 or less.</param>
    /// <param name="body">Called with the number of the task.</param>
    /// <remarks>After a task has thrown, those not begun yet are not run; the first exception is thrown again here.</remarks>
    /// <exception cref="ObjectDisposedException">The team has ended.</exception>
    public void Run(int tasks, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        ManagedJob job = new(body);
        GCHandle handle = GCHandle.Alloc(job);
        try
        {
            Run(tasks, &RunManaged, (void*)GCHandle.ToIntPtr(handle));
        }
        finally
        {
            handle.Free();
        }

        job.Failure?.Throw();
    }

    /// <summary>Ends the threads and waits for them. A call in progress on another thread is finished first.</summary>
    public void Dispose()
    {
        lock (caller)
        {
            if (disposed)
            {
                return;
            }

            Volatile.Write(ref disposed, true);
            lock (bed)
            {
                Monitor.PulseAll(bed);
            }
        }

        foreach (Thread worker in workers)
        {
            worker.Join();
        }
    }

    private static void RunManaged(void* state, int task, int worker)
    {
        ManagedJob job = (ManagedJob)GCHandle.FromIntPtr((nint)state).Target!;
        if (job.Failure is not null)
        {
            return;
        }

        try
        {
            job.Body(task);
        }
#pragma warning disable CA1031 // Thrown again by the caller.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref job.Failure, ExceptionDispatchInfo.Capture(e), null);
        }
    }

    private void Run(int tasks, delegate*<void*, int, int, void> body, void* state, bool inOrder)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref disposed), this);
        if (currentTeam == this)
        {
            RunAlone(tasks, body, state, currentWorker);
            return;
        }

        lock (caller)
        {
            WorkerTeam? outerTeam = currentTeam;
            int outerWorker = currentWorker;
            currentTeam = this;
            currentWorker = 0;
            if (tasks <= 1 || workers.Length == 0)
            {
                RunAlone(tasks, body, state, 0);
            }
            else
            {
                RunTogether(tasks, body, state, inOrder);
            }

            currentTeam = outerTeam;
            currentWorker = outerWorker;
        }
    }

    private static void RunAlone(int tasks, delegate*<void*, int, int, void> body, void* state, int worker)
    {
        for (int task = 0; task < tasks; task++)
        {
            body(state, task, worker);
        }
    }

    private void RunTogether(int tasks, delegate*<void*, int, int, void> body, void* state, bool inOrder)
    {
        this.body = body;
        this.state = state;
        pending.Value = tasks;
        for (int i = 0; i < Threads; i++)
        {
            long share = inOrder ? Share(0, i == 0 ? tasks : 0) | 1 : Share((long)tasks * i / Threads, (long)tasks * (i + 1) / Threads);
            Volatile.Write(ref shares[i].Value, share);
        }

        Interlocked.Increment(ref jobs.Value);
        if (Volatile.Read(ref sleepers) > 0)
        {
            lock (bed)
            {
                Monitor.PulseAll(bed);
            }
        }

        Drain(0);
        SpinWait spin = default;
        while (Volatile.Read(ref pending.Value) > 0)
        {
            spin.SpinOnce(-1);
        }
    }

    private static long Share(long first, long end) => (first << 32) | (end << 1);

    // The own share from its beginning, then the others' from their ends.
    private void Drain(int worker)
    {
        int i = 0;
        while (i < Threads)
        {
            ref long share = ref shares[(worker + i) % Threads].Value;
            long seen = Volatile.Read(ref share);
            int first = (int)(seen >> 32);
            int end = (int)((uint)seen >> 1);
            if (first == end)
            {
                i++;
                continue;
            }

            bool takesFirst = i == 0 || (seen & 1) != 0;
            if (Interlocked.CompareExchange(ref share, takesFirst ? seen + Share(1, 0) : seen - Share(0, 1), seen) == seen)
            {
                // The job cannot end, nor its fields change, before the task just taken is done.
                body(state, takesFirst ? first : end - 1, worker);
                Interlocked.Decrement(ref pending.Value);

                // The next job may have begun meanwhile, and the own share comes first.
                i = 0;
            }
        }
    }

    private void Work(int index)
    {
        currentTeam = this;
        currentWorker = index;
        while (!Volatile.Read(ref disposed))
        {
            long job = Volatile.Read(ref jobs.Value);
            Drain(index);
            long start = Stopwatch.GetTimestamp();
            while (Idle(job))
            {
                if (Stopwatch.GetTimestamp() - start > SpinTicks)
                {
                    Sleep(job);
                    break;
                }

                Thread.SpinWait(4);
            }
        }
    }

    private bool Idle(long job) => Volatile.Read(ref jobs.Value) == job && !Volatile.Read(ref disposed);

    private void Sleep(long job)
    {
        lock (bed)
        {
            // Announced before the last look for a new job: either that look sees a new job or its caller sees a sleeper.
            Interlocked.Increment(ref sleepers);
            while (Idle(job))
            {
                Monitor.Wait(bed);
            }

            Interlocked.Decrement(ref sleepers);
        }
    }

    private static int ThreadsFromEnvironment()
    {
        string? text = Environment.GetEnvironmentVariable("LIMBECK_NUM_THREADS");
        if (string.IsNullOrWhiteSpace(text))
        {
            return PhysicalCores;
        }

        return int.TryParse(text, out int threads) && threads >= 1
            ? threads
            : throw new InvalidOperationException($"LIMBECK_NUM_THREADS is \"{text}\"; a whole number of at least 1 is needed. Correct it or unset it.");
    }

    private static int CountPhysicalCores()
    {
        int logical = Environment.ProcessorCount;
        try
        {
            var cores = new HashSet<string>(StringComparer.Ordinal);
            string socket = "";
            foreach (string line in File.ReadLines("/proc/cpuinfo"))
            {
                if (line.StartsWith("physical id", StringComparison.Ordinal))
                {
                    socket = line;
                }
                else if (line.StartsWith("core id", StringComparison.Ordinal))
                {
                    cores.Add(socket + line);
                }
            }

            // A container's quota or an affinity mask may allow less than the machine has.
            return cores.Count > 0 ? Math.Min(cores.Count, logical) : logical;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return logical;
        }
    }

    private sealed class ManagedJob(Action<int> body)
    {
        public Action<int> Body { get; } = body;

        public ExceptionDispatchInfo? Failure;
    }

    // A counter alone on its cache lines.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Padded
    {
        [FieldOffset(128)]
        public long Value;
    }
}
