using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>The matrix product with operands rounded to bfloat16 and float32 sums, all cores. <see cref="Gemm"/> checks the arguments and says what they mean.</summary>
/// <remarks>
/// Cut as the float32 product is: blocks of k of one length given by k alone, tasks that are chunks of strips and panels or a block of k of one, bits that do not depend on the number of threads.
/// Unlike there, both operands are always packed, since they must be rounded and two steps must share a word: B beforehand by all threads (panel by panel where columns are
/// stored, else in parts of whole rows), a block of A by the task that multiplies it with panel after panel.
/// </remarks>
internal static unsafe class Bf16Gemm
{
    // Longest block of k: in most layers C is passed over once, as in the float32 product.
    private const int LongestBlock = 1536;

    // Words of packed B held at a time where it is packed beforehand.
    private const long PackedAtATime = 2 << 20;

    // Tasks a thread gets where a row-major B is packed, and the fewest and most pairs of stored rows in one.
    private const int PackingTasksPerThread = 4;
    private const int FewestPairs = 8;
    private const int MostPairs = 64;

    // Bytes of a cache line.
    private const int Line = 64;

    /// <summary>Words of 32 bits that B of [k, n] takes when packed.</summary>
    /// <param name="n">Columns.</param>
    /// <param name="k">Rows.</param>
    public static long PackedWords(int n, int k) => new GemmPanels(n).PaddedColumns * Bf16Packing.Pairs(k);

    /// <summary>C = op(A) op(B) (+ C when accumulating), then the epilogue.</summary>
    /// <param name="transposeA">Whether A is stored [k, m], else [m, k].</param>
    /// <param name="transposeB">Whether B is stored [n, k], else [k, n].</param>
    /// <param name="m">Rows of C, 1 or more.</param>
    /// <param name="n">Columns of C, 1 or more.</param>
    /// <param name="k">Length of the sums.</param>
    /// <param name="a">A.</param>
    /// <param name="lda">Distance of A's stored rows in floats.</param>
    /// <param name="b">B.</param>
    /// <param name="ldb">Distance of B's stored rows in floats.</param>
    /// <param name="c">C.</param>
    /// <param name="ldc">Distance of C's rows in floats.</param>
    /// <param name="accumulate">Whether C is added to; else it is only written.</param>
    /// <param name="epilogue">Bias and activation.</param>
    /// <param name="team">Threads to use.</param>
    public static void Multiply(
        bool transposeA, bool transposeB, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc,
        bool accumulate, in GemmEpilogue epilogue, WorkerTeam team)
    {
        var job = new Job
        {
            M = m,
            N = n,
            K = k,
            A = a,
            Lda = lda,
            B = b,
            Ldb = ldb,
            C = c,
            Ldc = ldc,
            TransposeA = transposeA,
            TransposeB = transposeB,
            Accumulate = accumulate,
            Epilogue = epilogue,
        };
        job.PackAndMultiply(team);
    }

    /// <summary>C = A B (+ C when accumulating) with B packed beforehand, then the epilogue.</summary>
    /// <param name="m">Rows of A and C, 1 or more.</param>
    /// <param name="n">Columns of C, 1 or more.</param>
    /// <param name="k">Length of the sums.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="lda">Distance of A's rows in floats.</param>
    /// <param name="packed">From <see cref="Pack"/>.</param>
    /// <param name="c">C.</param>
    /// <param name="ldc">Distance of C's rows in floats.</param>
    /// <param name="accumulate">Whether C is added to; else it is only written.</param>
    /// <param name="epilogue">Bias and activation.</param>
    /// <param name="team">Threads to use.</param>
    public static void MultiplyPacked(
        int m, int n, int k, float* a, int lda, uint* packed, float* c, int ldc, bool accumulate, in GemmEpilogue epilogue, WorkerTeam team)
    {
        var job = new Job { M = m, N = n, K = k, A = a, Lda = lda, PackedB = packed, C = c, Ldc = ldc, Accumulate = accumulate, Epilogue = epilogue };
        job.Multiply(team);
    }

    /// <summary>Packs all of B with the team.</summary>
    /// <param name="transposeB">Whether B is stored [n, k], else [k, n].</param>
    /// <param name="n">Columns.</param>
    /// <param name="k">Rows.</param>
    /// <param name="b">B.</param>
    /// <param name="ldb">Distance of B's stored rows in floats.</param>
    /// <param name="packed">Receives <see cref="PackedWords"/> words.</param>
    /// <param name="team">Threads to use.</param>
    public static void Pack(bool transposeB, int n, int k, float* b, int ldb, uint* packed, WorkerTeam team)
    {
        var job = new Job { N = n, K = k, B = b, Ldb = ldb, TransposeB = transposeB };
        job.Pack(packed, team);
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
        public bool TransposeA;
        public bool TransposeB;
        public bool Accumulate;
        public GemmEpilogue Epilogue;

        // Panels from firstPanel on.
        public uint* PackedB;

        private GemmPanels panels;
        private int firstPanel;
        private int endPanel;
        private int rowsPacked;
        private int blockK;
        private GemmCut cut;

        // Of each chunk the blocks that are done, where a task is one of them.
        private int* done;

        public void Multiply(WorkerTeam team)
        {
            panels = new GemmPanels(N);
            endPanel = panels.Count;
            MultiplyPanels(team);
        }

        // As many panels at a time as the workspace holds.
        public void PackAndMultiply(WorkerTeam team)
        {
            panels = new GemmPanels(N);
            int ranges = (int)Math.Min(panels.Count, (PackedWords(N, K) / PackedAtATime) + 1);
            int most = (panels.Count + ranges - 1) / ranges;
            PackedB = (uint*)GemmWorkspace.ForCaller((long)most * GemmTile.Columns * Bf16Packing.Pairs(K));
            for (firstPanel = 0; firstPanel < panels.Count; firstPanel = endPanel)
            {
                endPanel = Math.Min(firstPanel + most, panels.Count);
                PackPanels(team);
                MultiplyPanels(team);
            }
        }

        public void Pack(uint* packed, WorkerTeam team)
        {
            panels = new GemmPanels(N);
            endPanel = panels.Count;
            PackedB = packed;
            PackPanels(team);
        }

        private void PackPanels(WorkerTeam team)
        {
            fixed (Job* self = &this)
            {
                if (TransposeB)
                {
                    team.Run(endPanel - firstPanel, &PackPanel, self);
                }
                else
                {
                    // As it lies: some whole rows a task, an even number.
                    rowsPacked = 2 * Math.Clamp(Bf16Packing.Pairs(K) / (PackingTasksPerThread * team.Threads), FewestPairs, MostPairs);
                    team.Run(Bf16Packing.Pairs(K) == 0 ? 0 : ((K - 1) / rowsPacked) + 1, &PackRows, self);
                }
            }
        }

        private static void PackPanel(void* state, int task, int worker)
        {
            Job* job = (Job*)state;
            int column = job->panels.Start(job->firstPanel + task);
            int width = job->panels.Width(job->firstPanel + task);
            Bf16Packing.Pack(true, Math.Min(width, job->N - column), width, job->K, job->B + (column * job->Ldb), job->Ldb, job->Packed(column), job->K);
        }

        private static void PackRows(void* state, int task, int worker)
        {
            Job* job = (Job*)state;
            int step = task * job->rowsPacked;
            int steps = Math.Min(job->rowsPacked, job->K - step);
            for (int panel = job->firstPanel; panel < job->endPanel;)
            {
                // All panels of the same width together: only the last ones are narrower.
                int column = job->panels.Start(panel);
                int width = job->panels.Width(panel);
                do
                {
                    panel++;
                }
                while (panel < job->endPanel && job->panels.Width(panel) == width);
                int columns = Math.Min(job->panels.Start(panel), job->N) - column;
                uint* target = job->Packed(column) + ((nint)Bf16Packing.Pairs(step) * width);
                Bf16Packing.Pack(false, columns, width, steps, job->B + (step * job->Ldb) + column, job->Ldb, target, job->K);
            }
        }

        private void MultiplyPanels(WorkerTeam team)
        {
            int blocks = Math.Max(1, (K + LongestBlock - 1) / LongestBlock);

            // Even, so that no pair lies in two blocks.
            blockK = Math.Max(2, 2 * Bf16Packing.Pairs((K + blocks - 1) / blocks));
            blocks = Math.Max(1, (K + blockK - 1) / blockK);
            int strips = (M + GemmTile.Rows - 1) / GemmTile.Rows;
            cut = new GemmCut(strips, endPanel - firstPanel, GemmTile.Rows * Bf16Packing.Pairs(blockK) * sizeof(uint), (long)M * N * Math.Max(K, 1), blocks, TransposeA, team.Threads);
            int* blocksDone = stackalloc int[cut.ByBlocks ? cut.Chunks : 0];
            new Span<int>(blocksDone, cut.ByBlocks ? cut.Chunks : 0).Clear();
            done = blocksDone;
            fixed (Job* self = &this)
            {
                if (cut.ByBlocks)
                {
                    team.RunInOrder(cut.Tasks, &MultiplyChunk, self);
                }
                else
                {
                    team.Run(cut.Tasks, &MultiplyChunk, self);
                }
            }
        }

        private static void MultiplyChunk(void* state, int task, int worker)
        {
            Job* job = (Job*)state;
            (int number, int block) = job->cut.Task(task);
            (int firstStrip, int endStrip, int firstPanel, int endPanel) = job->cut.Chunk(number);
            Bf16TileCall call = default;
            Chunk chunk = new(
                job, &call, firstStrip * GemmTile.Rows, Math.Min(job->M, endStrip * GemmTile.Rows), job->firstPanel + firstPanel, job->firstPanel + endPanel);
            if (!job->cut.ByBlocks)
            {
                chunk.Multiply();
                return;
            }

            GemmCut.Await(job->done, number, block);
            chunk.MultiplyBlock(block * job->blockK);
            Volatile.Write(ref job->done[number], block + 1);
        }

        private readonly uint* Packed(int column) => PackedB + ((nint)(column - panels.Start(firstPanel)) * Bf16Packing.Pairs(K));

        /// <summary>Some strips of rows times some panels: over all of k, or a block of it.</summary>
        private ref struct Chunk
        {
            private readonly Job* job;
            private readonly Bf16TileCall* call;
            private readonly int firstRow;
            private readonly int endRow;
            private readonly int firstPanel;
            private readonly int endPanel;
            private readonly uint* groups;
            private int block;
            private int steps;

            public Chunk(Job* job, Bf16TileCall* call, int firstRow, int endRow, int firstPanel, int endPanel)
            {
                this.job = job;
                this.call = call;
                this.firstRow = firstRow;
                this.endRow = endRow;
                this.firstPanel = firstPanel;
                this.endPanel = endPanel;
                nint pairs = Bf16Packing.Pairs(job->blockK);
                groups = (uint*)GemmWorkspace.ForTask((endRow - firstRow + Bf16Packing.Group) * pairs);
                call->LdcBytes = job->Ldc * sizeof(float);
            }

            public void Multiply()
            {
                int first = 0;
                do
                {
                    MultiplyBlock(first);
                    first += job->blockK;
                }
                while (first < job->K);
            }

            /// <summary>The block of k that begins there.</summary>
            public void MultiplyBlock(int first)
            {
                block = first;
                steps = Math.Min(job->blockK, job->K - block);
                call->Pairs = Bf16Packing.Pairs(steps);
                PackA();
                for (int panel = firstPanel; panel < endPanel; panel++)
                {
                    MultiplyPanel(panel);
                }
            }

            private readonly void PackA()
            {
                float* source = job->TransposeA ? job->A + (block * job->Lda) + firstRow : job->A + (firstRow * job->Lda) + block;
                Bf16Packing.Pack(!job->TransposeA, endRow - firstRow, Bf16Packing.Group, steps, source, job->Lda, groups, steps);
            }

            private readonly void MultiplyPanel(int panel)
            {
                int column = job->panels.Start(panel);
                int width = job->panels.Width(panel);
                int columns = Math.Min(width, job->N - column);
                int vectors = width / GemmTile.Lane;
                call->LastMask = Bf16TileCall.Mask(columns - width + GemmTile.Lane);
                call->B = job->Packed(column) + ((nint)Bf16Packing.Pairs(block) * width);
                bool accumulate = job->Accumulate || block > 0;
                bool finishes = block + steps == job->K && !job->Epilogue.IsEmpty;
                for (int row = firstRow; row < endRow; row += GemmTile.Rows)
                {
                    int rows = Math.Min(GemmTile.Rows, endRow - row);
                    int inGroup = (row - firstRow) % Bf16Packing.Group;
                    call->A = groups + ((row - firstRow - inGroup) * call->Pairs) + inGroup;
                    call->C = job->C + (row * job->Ldc) + column;
                    FetchAhead(panel, (row - firstRow) / GemmTile.Rows);
                    Bf16Tile.Run(rows, vectors, accumulate, call);
                    if (finishes)
                    {
                        GemmEpilogueKernel.Apply(job->Epilogue, row, rows, column, columns, job->C, job->Ldc);
                    }
                }
            }

            // The next panel is fetched by the first tiles of this one, a cache line with each pair; the last panel is followed by the
            // first one of the next block, unless that is another task.
            private readonly void FetchAhead(int panel, int tile)
            {
                bool wraps = panel + 1 == endPanel;
                int next = wraps ? firstPanel : panel + 1;
                int column = job->panels.Start(next);
                int width = job->panels.Width(next);
                int step = wraps ? block + steps : block;
                if (tile * Line >= width * sizeof(uint) || step >= job->K || (wraps && job->cut.ByBlocks))
                {
                    call->Ahead = (byte*)call->A;
                    call->AheadBytes = 0;
                }
                else
                {
                    call->Ahead = (byte*)(job->Packed(column) + ((nint)Bf16Packing.Pairs(step) * width)) + (tile * Line * call->Pairs);
                    call->AheadBytes = Line;
                }
            }
        }
    }
}
