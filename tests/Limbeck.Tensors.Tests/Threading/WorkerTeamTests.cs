using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Tests.Threading;

public sealed unsafe class WorkerTeamTests
{
    private const int Tasks = 64;

    private static WorkerTeam? nested;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Every_task_runs_exactly_once_in_thousands_of_jobs(int threads)
    {
        using var team = new WorkerTeam(threads);
        int* counts = stackalloc int[64];
        for (int job = 0; job < 3000; job++)
        {
            int tasks = job % 64;
            new Span<int>(counts, 64).Clear();
            if (job % 3 == 0)
            {
                team.RunInOrder(tasks, &Count, counts);
            }
            else
            {
                team.Run(tasks, &Count, counts);
            }

            for (int i = 0; i < 64; i++)
            {
                Assert.Equal(i < tasks ? 1 : 0, counts[i]);
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Each_worker_begins_with_its_own_share_and_takes_the_last_tasks_of_others(int threads)
    {
        using var team = new WorkerTeam(threads);
        int* order = stackalloc int[Tasks + 1];
        int* workers = stackalloc int[Tasks];
        int all = threads;
        int** state = stackalloc int*[] { order, workers, &all };
        const int Jobs = 200;
        int began = 0;
        for (int job = 0; job < Jobs; job++)
        {
            order[Tasks] = 0;
            team.Run(Tasks, &NoteWhenAllHaveOne, state);
            int[] last = [.. Enumerable.Repeat(-1, threads * threads)];
            for (int i = 0; i < Tasks; i++)
            {
                int task = order[i];
                int worker = workers[task];
                int share = Enumerable.Range(0, threads).First(w => task < Tasks * (w + 1) / threads);
                ref int before = ref last[(worker * threads) + share];
                Assert.True(before < 0 || (share == worker ? task > before : task < before), $"worker {worker} took {task} after {before} of share {share}");
                before = task;
                began += i < threads && task == Tasks * worker / threads ? 1 : 0;
            }
        }

        // A worker that is still looking for tasks of the job before may see another's share first.
        Assert.True(began > 0.9 * Jobs * threads, $"{began} of {Jobs * threads} times a worker began with its own share");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void In_order_a_task_is_begun_when_all_of_smaller_numbers_are(int threads)
    {
        using var team = new WorkerTeam(threads);
        int* order = stackalloc int[Tasks + 1];
        int* workers = stackalloc int[Tasks];
        int** state = stackalloc int*[] { order, workers };
        for (int job = 0; job < 200; job++)
        {
            order[Tasks] = 0;
            team.RunInOrder(Tasks, &Note, state);
            for (int i = 0; i < Tasks; i++)
            {
                // Each other worker may have taken a task and not noted it yet.
                Assert.True(order[i] < i + threads, $"task {order[i]} was begun after {i} others");
            }

            Assert.Equal(Enumerable.Range(0, Tasks), new Span<int>(order, Tasks).ToArray().Order());
        }
    }

    [Fact]
    public void A_team_that_has_gone_to_sleep_wakes_up()
    {
        using var team = new WorkerTeam(3);
        int* counts = stackalloc int[8];
        for (int round = 0; round < 20; round++)
        {
            Thread.Sleep(5);
            new Span<int>(counts, 8).Clear();
            team.Run(8, &Count, counts);
            for (int i = 0; i < 8; i++)
            {
                Assert.Equal(1, counts[i]);
            }
        }
    }

    [Fact]
    public void A_worker_number_is_held_by_one_thread_at_a_time_even_with_concurrent_callers()
    {
        using var team = new WorkerTeam(3);
        int* held = stackalloc int[4];
        new Span<int>(held, 4).Clear();
        nint shared = (nint)held;
        var callers = new Thread[4];
        for (int i = 0; i < callers.Length; i++)
        {
            int tasks = i + 1;
            callers[i] = new Thread(() =>
            {
                for (int job = 0; job < 500; job++)
                {
                    team.Run(tasks, &Hold, (void*)shared);
                }
            });
            callers[i].Start();
        }

        foreach (Thread caller in callers)
        {
            caller.Join();
        }

        Assert.Equal(0, held[3]);
    }

    [Fact]
    public void A_call_from_inside_a_task_runs_on_that_thread_with_its_worker_number()
    {
        using var team = new WorkerTeam(2);
        nested = team;
        int* counts = stackalloc int[64];
        new Span<int>(counts, 64).Clear();
        team.Run(16, &Nest, counts);
        Assert.Equal(16 * 5, counts[0]);
        Assert.Equal(0, counts[1]);
    }

    [Fact]
    public void Zero_and_negative_numbers_of_tasks_do_nothing()
    {
        using var team = new WorkerTeam(2);
        int count = 0;
        team.Run(0, &Count, &count);
        team.Run(-3, &Count, &count);
        Assert.Equal(0, count);
    }

    [Fact]
    public void Disposing_ends_the_threads_and_a_later_call_is_refused()
    {
        var team = new WorkerTeam(4);
        int* counts = stackalloc int[8];
        team.Run(8, &Count, counts);
        team.Dispose();
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => RunOne(team));
    }

    [Fact]
    public void A_team_needs_at_least_one_thread() => Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerTeam(0));

    [Fact]
    public void The_default_team_has_the_default_number_of_threads_and_refuses_another_afterwards()
    {
        Assert.InRange(WorkerTeam.PhysicalCores, 1, Environment.ProcessorCount);
        WorkerTeam team = WorkerTeam.Default;
        Assert.Same(team, WorkerTeam.Default);
        Assert.Equal(WorkerTeam.DefaultThreads, team.Threads);
        WorkerTeam.DefaultThreads = team.Threads;
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => WorkerTeam.DefaultThreads = team.Threads + 1);
        Assert.Contains("before the first computation", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => WorkerTeam.DefaultThreads = 0);
    }

    private static void RunOne(WorkerTeam team)
    {
        int count = 0;
        team.Run(1, &Count, &count);
    }

    // The order in which tasks are begun, and by whom.
    private static void Note(void* state, int task, int worker)
    {
        int* order = ((int**)state)[0];
        int* workers = ((int**)state)[1];
        workers[task] = worker;
        order[Interlocked.Increment(ref order[Tasks]) - 1] = task;
        Thread.SpinWait(20);
    }

    // The first task of each worker lasts until all have one.
    private static void NoteWhenAllHaveOne(void* state, int task, int worker)
    {
        Note(state, task, worker);
        while (Volatile.Read(ref ((int**)state)[0][Tasks]) < *((int**)state)[2])
        {
            Thread.Yield();
        }
    }

    private static void Count(void* state, int task, int worker) => Interlocked.Increment(ref ((int*)state)[task]);

    private static void Hold(void* state, int task, int worker)
    {
        int* held = (int*)state;
        if (Interlocked.Increment(ref held[worker]) != 1)
        {
            Interlocked.Increment(ref held[3]);
        }

        Thread.SpinWait(50);
        Interlocked.Decrement(ref held[worker]);
    }

    private static void Nest(void* state, int task, int worker)
    {
        int* outer = stackalloc int[3];
        outer[0] = worker;
        outer[1] = Environment.CurrentManagedThreadId;
        outer[2] = 0;
        nested!.Run(5, &CheckNested, outer);
        Interlocked.Add(ref ((int*)state)[0], outer[2]);
    }

    private static void CheckNested(void* state, int task, int worker)
    {
        int* outer = (int*)state;
        outer[2] += outer[0] == worker && outer[1] == Environment.CurrentManagedThreadId ? 1 : 0;
    }
}
