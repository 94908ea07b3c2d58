using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>The float32 matrix product, all cores.</summary>
/// <remarks>
/// The sum over k is cut into blocks of one length, given by k alone, so that a panel of B stays in the first-level cache; an element of
/// C adds up its blocks in order. Neither the number of threads nor the cut of m and n into tasks enters: the bits are always the same on
/// one CPU tier. B is packed into panels, A is read where it lies unless it is stored transposed. What is packed goes through a
/// workspace of bounded size, a range of k at a time: while one range is multiplied the next is packed.
/// NaN and infinities travel as IEEE 754 says.
/// </remarks>
public static unsafe class Gemm
{
    // Longest block of k: a panel of 3 vectors of this length fits the first-level cache beside a strip of A.
    private static readonly int BlockK = Cpu.Tier == CpuTier.Avx512 ? 192 : 256;

    // Floats of packed operands held at a time (twice, when there is more than one range of k).
    private const long WorkspaceFloats = 2 << 20;

    // A task is not made smaller than this many multiply-adds, ...
    private const long SmallestTask = 1 << 18;

    // ... nor larger than this many strips of rows and panels of columns: what one task reads of a block of k fits the second-level cache.
    private const int LargestRowStrips = 32;
    private const int LargestPanels = 16;

    // Source rows of a packing task.
    private const int PackTaskRows = 32;

    /// <summary>C = op(A) op(B) (+ C when accumulating), then the epilogue.</summary>
    /// <param name="transposeA">False: A is stored [m, k]. True: stored [k, m].</param>
    /// <param name="transposeB">True: B is stored [n, k] (a PyTorch weight [out, in] in the forward pass). False: stored [k, n].</param>
    /// <param name="m">Rows of C, 0 or more.</param>
    /// <param name="n">Columns of C, 0 or more.</param>
    /// <param name="k">Length of the sums; 0 gives zero (or C when accumulating), then the epilogue.</param>
    /// <param name="a">A; may have any alignment.</param>
    /// <param name="lda">Distance of A's stored rows in floats.</param>
    /// <param name="b">B; may have any alignment.</param>
    /// <param name="ldb">Distance of B's stored rows in floats.</param>
    /// <param name="c">C; may not overlap A, B or the epilogue's pointers.</param>
    /// <param name="ldc">Distance of C's rows in floats; what lies between n and ldc is not touched.</param>
    /// <param name="accumulate">Whether C is added to; else it is only written.</param>
    /// <param name="epilogue">Bias and activation.</param>
    /// <param name="team">Threads to use.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative or too large, or a distance is shorter than a row.</exception>
    public static void Multiply(
        bool transposeA, bool transposeB, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc,
        bool accumulate, in GemmEpilogue epilogue, WorkerTeam team)
    {
        ArgumentNullException.ThrowIfNull(team);
        CheckSize(m, nameof(m));
        CheckSize(n, nameof(n));
        CheckSize(k, nameof(k));
        CheckStride(lda, transposeA ? m : k, nameof(lda));
        CheckStride(ldb, transposeB ? k : n, nameof(ldb));
        CheckStride(ldc, n, nameof(ldc));
        CheckActivation(epilogue.Activation);
        if (m == 0 || n == 0)
        {
            return;
        }

        var job = new Job
        {
            M = m, N = n, K = k, A = a, Lda = lda, C = c, Ldc = ldc, B = b, Ldb = ldb,
            PackA = transposeA, PackB = true, TransposeB = transposeB, Accumulate = accumulate, Epilogue = epilogue,
        };
        job.Run(team);
    }

    /// <summary>C = A B (+ C when accumulating) with B packed beforehand, then the epilogue. Same bits as without packing.</summary>
    /// <param name="m">Rows of A and C, 0 or more.</param>
    /// <param name="a">[m, K].</param>
    /// <param name="lda">Distance of A's rows in floats.</param>
    /// <param name="b">Packed [K, N].</param>
    /// <param name="c">[m, N]; may not overlap A or the epilogue's pointers.</param>
    /// <param name="ldc">Distance of C's rows in floats; what lies between N and ldc is not touched.</param>
    /// <param name="accumulate">Whether C is added to; else it is only written.</param>
    /// <param name="epilogue">Bias and activation.</param>
    /// <param name="team">Threads to use.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative or too large, or a distance is shorter than a row.</exception>
    /// <exception cref="ObjectDisposedException"><paramref name="b"/> was disposed.</exception>
    public static void Multiply(
        int m, float* a, int lda, PackedWeights b, float* c, int ldc, bool accumulate, in GemmEpilogue epilogue, WorkerTeam team)
    {
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(team);
        CheckSize(m, nameof(m));
        CheckStride(lda, b.K, nameof(lda));
        CheckStride(ldc, b.N, nameof(ldc));
        CheckActivation(epilogue.Activation);
        float* packed = b.Data;
        if (m == 0 || b.N == 0)
        {
            return;
        }

        var job = new Job
        {
            M = m, N = b.N, K = b.K, A = a, Lda = lda, C = c, Ldc = ldc, PackedB = packed, Accumulate = accumulate, Epilogue = epilogue,
        };
        job.Run(team);
        GC.KeepAlive(b);
    }

    /// <summary>Refuses a size that is negative or so large that sums of sizes could overflow.</summary>
    internal static void CheckSize(int size, string name)
    {
        if (size is < 0 or > int.MaxValue - 4096)
        {
            throw new ArgumentOutOfRangeException(name, size, $"The matrix product's {name} must be between 0 and {int.MaxValue - 4096}.");
        }
    }

    /// <summary>Refuses a distance between rows that is shorter than a row.</summary>
    internal static void CheckStride(int stride, int row, string name)
    {
        if (stride < row)
        {
            throw new ArgumentOutOfRangeException(name, stride, $"The matrix product's {name} is {stride}, but a stored row has {row} elements: {name} must be at least that.");
        }
    }

    private static void CheckActivation(Activation activation)
    {
        if (!GemmEpilogueKernel.Knows(activation))
        {
            throw new ArgumentOutOfRangeException(nameof(activation), activation, "The matrix product's epilogue names an activation that does not exist.");
        }
    }

    /// <summary>Packs all of B with the team.</summary>
    internal static void Pack(bool transposeB, int n, int k, float* b, int ldb, float* packed, WorkerTeam team)
    {
        var job = new Job { N = n, K = k, B = b, Ldb = ldb, TransposeB = transposeB, PackB = true, Panels = new GemmPanels(n) };
        job.Packing = new Range { Length = k, PackedB = packed };
        job.CountPackTasks();
        team.Run(job.PackTasks, &Job.Task, &job);
    }

    // A range of k and where its operands lie packed.
    private struct Range
    {
        public int First;
        public int Length;
        public float* PackedA;
        public float* PackedB;
    }

    private struct Job
    {
        public int M;
        public int N;
        public int K;
        public float* A;
        public nint Lda;
        public float* B;
        public nint Ldb;
        public float* C;
        public nint Ldc;
        public bool PackA;
        public bool PackB;
        public bool TransposeB;
        public bool Accumulate;
        public GemmEpilogue Epilogue;
        public float* PackedB;
        public GemmPanels Panels;
        public Range Packing;
        public int PackTasks;
        private Range multiplying;
        private int blockK;
        private int strips;
        private int rowChunks;
        private int columnChunks;
        private int multiplyTasks;
        private int packATasks;

        public void Run(WorkerTeam team)
        {
            Panels = new GemmPanels(N);
            strips = (M + GemmTile.Rows - 1) / GemmTile.Rows;
            int blocks = Math.Max(1, (K + BlockK - 1) / BlockK);
            blockK = (K + blocks - 1) / blocks;
            CutTasks(team.Threads);
            fixed (Job* self = &this)
            {
                if (!PackB)
                {
                    multiplying = new Range { Length = K, PackedB = PackedB };
                    team.Run(multiplyTasks, &Task, self);
                    return;
                }

                int allMultiplyTasks = multiplyTasks;
                long perStep = Panels.PaddedColumns + (PackA ? (long)strips * GemmTile.Rows : 0);
                int ranges = Math.Max(1, (int)Math.Min(blocks, ((perStep * K) + WorkspaceFloats - 1) / WorkspaceFloats));
                int rangeK = (blocks + ranges - 1) / ranges * blockK;
                float* workspace = GemmWorkspace.Get(perStep * rangeK * Math.Min(ranges, 2));
                multiplyTasks = 0;
                int first = 0;
                do
                {
                    float* half = workspace + (perStep * rangeK * (first / Math.Max(rangeK, 1) % 2));
                    Packing = new Range
                    {
                        First = first, Length = Math.Min(rangeK, K - first), PackedB = half, PackedA = half + (Panels.PaddedColumns * rangeK),
                    };
                    CountPackTasks();
                    team.Run(multiplyTasks + PackTasks, &Task, self);
                    multiplying = Packing;
                    multiplyTasks = allMultiplyTasks;
                    first += rangeK;
                }
                while (first < K);

                PackTasks = 0;
                team.Run(multiplyTasks, &Task, self);
            }
        }

        public void CountPackTasks()
        {
            int steps = (Packing.Length + PackTaskRows - 1) / PackTaskRows;
            packATasks = PackA ? steps : 0;
            PackTasks = packATasks + (TransposeB ? Panels.Count : steps);
        }

        // Static and free of managed references: the team calls it through a function pointer.
        public static void Task(void* state, int task, int worker)
        {
            Job* job = (Job*)state;
            if (task < job->multiplyTasks)
            {
                job->Multiply(task);
            }
            else
            {
                job->Pack(task - job->multiplyTasks);
            }
        }

        // At least four tasks a thread where the work is large enough, so that a thread that is held up does not hold up the rest.
        private void CutTasks(int threads)
        {
            rowChunks = (strips + LargestRowStrips - 1) / LargestRowStrips;
            columnChunks = (Panels.Count + LargestPanels - 1) / LargestPanels;
            long wanted = threads == 1 ? 1 : Math.Min(4L * threads, (long)M * N * Math.Max(K, 1) / SmallestTask);
            while ((long)rowChunks * columnChunks < wanted)
            {
                if (strips / rowChunks >= 2 * (Panels.Count / columnChunks) && rowChunks < strips)
                {
                    rowChunks++;
                }
                else if (columnChunks < Panels.Count)
                {
                    columnChunks++;
                }
                else
                {
                    break;
                }
            }

            multiplyTasks = rowChunks * columnChunks;
        }

        private void Pack(int task)
        {
            ref readonly Range range = ref Packing;
            if (task < packATasks)
            {
                int first = task * PackTaskRows;
                GemmPacking.PackStrips(M, range.Length, first, Math.Min(PackTaskRows, range.Length - first), A + (range.First * Lda), Lda, range.PackedA);
                return;
            }

            task -= packATasks;
            if (TransposeB)
            {
                int column = Panels.Start(task);
                int width = Panels.Width(task);
                GemmPacking.PackColumns(
                    Math.Min(width, N - column), width, range.Length, B + (column * Ldb) + range.First, Ldb, range.PackedB + ((nint)column * range.Length));
            }
            else
            {
                int first = task * PackTaskRows;
                GemmPacking.PackRows(Panels, N, range.Length, first, Math.Min(PackTaskRows, range.Length - first), B + (range.First * Ldb), Ldb, range.PackedB);
            }
        }

        private void Multiply(int task)
        {
            ref readonly Range range = ref multiplying;
            int rowChunk = task / columnChunks;
            int columnChunk = task % columnChunks;
            int firstRow = Cut(strips, rowChunks, rowChunk) * GemmTile.Rows;
            int endRow = Math.Min(M, Cut(strips, rowChunks, rowChunk + 1) * GemmTile.Rows);
            int firstPanel = Cut(Panels.Count, columnChunks, columnChunk);
            int endPanel = Cut(Panels.Count, columnChunks, columnChunk + 1);
            nint aRow = PackA ? 1 : Lda;
            nint aStep = PackA ? GemmTile.Rows : 1;
            bool epilogue = !Epilogue.IsEmpty;
            int block = 0;
            do
            {
                int length = Math.Min(blockK, range.Length - block);
                bool accumulate = Accumulate || range.First + block > 0;
                bool last = epilogue && range.First + block + length == K;
                float* a = PackA ? range.PackedA + ((nint)block * GemmTile.Rows) : A + range.First + block;
                nint aNext = PackA ? range.Length : Lda;
                for (int panel = firstPanel; panel < endPanel; panel++)
                {
                    int column = Panels.Start(panel);
                    int width = Panels.Width(panel);
                    int columns = Math.Min(width, N - column);
                    float* b = range.PackedB + ((nint)column * range.Length) + ((nint)block * width);
                    for (int row = firstRow; row < endRow; row += GemmTile.Rows)
                    {
                        int rows = Math.Min(GemmTile.Rows, endRow - row);
                        GemmTile.Run(rows, columns, length, a + (row * aNext), aRow, aStep, b, C + (row * Ldc) + column, Ldc, accumulate);
                        if (last)
                        {
                            GemmEpilogueKernel.Apply(Epilogue, row, rows, column, columns, C, Ldc);
                        }
                    }
                }

                block += length;
            }
            while (block < range.Length);
        }

        private static int Cut(int length, int parts, int part) => (int)((long)length * part / parts);
    }
}
