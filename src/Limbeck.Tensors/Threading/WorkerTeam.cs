using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Limbeck.Tensors.Threading;

/// <summary>A fixed team of threads that run the numbered tasks of one kernel together. The caller is one of the team.</summary>
/// <remarks>
/// What a task computes must depend on its number alone (and on what tasks of smaller numbers have left, if it waits for them), never on the number of threads or on which
/// thread runs it: that is what makes results the same bits for any number of threads. Tasks are handed out one by one in the order of their numbers, so a task may wait for one
/// of a smaller number, which is under way or done; and an uneven machine does not stall the team, and
/// the caller waits for tasks, not for threads: a thread that the system has not woken yet delays nobody.
/// Callers on several threads take turns. A call from inside a task runs on the calling thread alone.
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
    private int taskCount;
    private int sleepers;
    private bool disposed;

    // High half: number of the job. Low half: tasks of it not handed out yet. Both change in one atomic step, so a late worker can
    // neither take a task of a job that is over nor read the fields above while they change.
    private Padded ticket;

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

    /// <summary>Runs tasks 0..<paramref name="tasks"/>-1 and returns when all are done.</summary>
    /// <param name="tasks">Number of tasks; none when 0 or less.</param>
    /// <param name="body">Called as body(state, task, worker); worker is 0..Threads-1, for per-thread scratch. It must not throw.</param>
    /// <param name="state">Passed on.</param>
    /// <exception cref="ObjectDisposedException">The team has ended.</exception>
    public void Run(int tasks, delegate*<void*, int, int, void> body, void* state)
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
                RunTogether(tasks, body, state);
            }

            currentTeam = outerTeam;
            currentWorker = outerWorker;
        }
    }

    /// <summary>The same for tasks that are not kernels: they may allocate and throw.</summary>
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

    private static void RunAlone(int tasks, delegate*<void*, int, int, void> body, void* state, int worker)
    {
        for (int task = 0; task < tasks; task++)
        {
            body(state, task, worker);
        }
    }

    private void RunTogether(int tasks, delegate*<void*, int, int, void> body, void* state)
    {
        this.body = body;
        this.state = state;
        taskCount = tasks;
        pending.Value = tasks;
        long job = (ticket.Value >> 32) + 1;
        Interlocked.Exchange(ref ticket.Value, (job << 32) | (uint)tasks);
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

    private void Drain(int worker)
    {
        while (true)
        {
            long seen = Volatile.Read(ref ticket.Value);
            int left = (int)seen;
            if (left == 0)
            {
                return;
            }

            if (Interlocked.CompareExchange(ref ticket.Value, seen - 1, seen) == seen)
            {
                // The job cannot end, nor its fields change, before the task just taken is done.
                body(state, taskCount - left, worker);
                Interlocked.Decrement(ref pending.Value);
            }
        }
    }

    private void Work(int index)
    {
        currentTeam = this;
        currentWorker = index;
        while (!Volatile.Read(ref disposed))
        {
            Drain(index);
            long start = Stopwatch.GetTimestamp();
            while (Idle())
            {
                if (Stopwatch.GetTimestamp() - start > SpinTicks)
                {
                    Sleep();
                    break;
                }

                Thread.SpinWait(4);
            }
        }
    }

    private bool Idle() => (int)Volatile.Read(ref ticket.Value) == 0 && !Volatile.Read(ref disposed);

    private void Sleep()
    {
        lock (bed)
        {
            // Announced before the last look at the ticket: either that look sees a new job or its caller sees a sleeper.
            Interlocked.Increment(ref sleepers);
            while (Idle())
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
