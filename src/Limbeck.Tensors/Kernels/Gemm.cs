using Limbeck.Tensors.Threading;

namespace Limbeck.Tensors.Kernels;

/// <summary>The matrix product, all cores: in float32, or with operands rounded to bfloat16 and float32 sums.</summary>
/// <remarks>
/// The sum over k is cut into blocks of one length, given by the shape and the form of A and B, so that panels stay in the near caches; an element of C adds up
/// its blocks in order. Neither the number of threads nor the cut of m and n into tasks enters: the bits are always the same on one CPU
/// tier. B is packed into panels beforehand, by all threads: in a layer it is the weight, which is small beside a batch's rows (a row-major one is left
/// where it lies when a single strip would read it). A row-major A is read where it lies. Where A is stored transposed and B is not (a weight
/// gradient, whose operands are both large), a task packs what it needs while it multiplies: its first tile of a strip copies A, its first tile
/// of a panel copies B, unless B's rows are whole cache lines (and not a multiple of four lines apart, which would crowd them into few sets of a cache): they are read where they lie.
/// If B's rows are not whole lines and A's are, C^T = B^T A is computed in the same way and transposed in the end: the sums are the same.
/// NaN and infinities travel as IEEE 754 says. With <see cref="Precision.Bf16"/> the same holds of the rounded operands; how it is computed is told in Bf16Gemm and Bf16Dot.
/// </remarks>
public static unsafe class Gemm
{
    // Longest block of k: a panel of B then stays in the second-level cache, and C is seldom passed over, which costs more than a strip of A that the first level cannot hold.
    private const int LongestBlock = 1536;

    // The same where tasks copy A: the copies of all their strips stay in the second-level cache.
    private const int LongestBlockCopyingA = 768;

    // The same where they copy B as well; A^T B^T, which no layer asks for, is left at it.
    private const int LongestBlockCopyingBoth = 384;

    // C is computed transposed only if this many columns become of its rows.
    private const int LeastRowsToTranspose = 192;

    // And only if it has at most so many floats, which it takes in other memory.
    private const long MostToTranspose = 4 << 20;

    // Floats of packed B held at a time: each part of B reads all of A again.
    private const long PackedAtATime = 2 << 20;

    // The same where A's rows are longer than C's, so that reading A again would cost more than what the caches lose.
    private const long PackedAtATimeOfLongSums = 16 << 20;

    // Floats in a cache line.
    private const int LineFloats = 16;

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
    /// <param name="precision">What A and B are rounded to. The whole rest (C, sums, epilogue) is float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative or too large, or a distance is shorter than a row.</exception>
    public static void Multiply(
        bool transposeA, bool transposeB, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc,
        bool accumulate, in GemmEpilogue epilogue, WorkerTeam team, Precision precision = Precision.Float32)
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

        if (precision == Precision.Bf16)
        {
            Bf16Gemm.Multiply(transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, in epilogue, team);
            return;
        }

        // Sizes are asked and not distances or addresses, on which the bits may not depend; nor may they on the epilogue.
        bool turned = transposeA && !transposeB && m >= LeastRowsToTranspose && FillsLines(m) && n % LineFloats != 0;
        bool transposeC = turned && epilogue.IsEmpty && (long)m * n <= MostToTranspose;
        var job = new Job
        {
            M = transposeC ? n : m,
            N = transposeC ? m : n,
            K = k,
            A = transposeC ? b : a,
            Lda = transposeC ? ldb : lda,
            C = c,
            Ldc = ldc,
            B = transposeC ? a : b,
            Ldb = transposeC ? lda : ldb,
            LongestBlockOfK = !transposeA ? LongestBlock : turned || (!transposeB && FillsLines(n)) ? LongestBlockCopyingA : LongestBlockCopyingBoth,
            TransposeC = transposeC,
            TransposeA = transposeA,
            TransposeB = transposeB,
            Accumulate = accumulate,
            Epilogue = epilogue,
        };
        if (!transposeB && (transposeA || m <= GemmTile.Rows))
        {
            job.Multiply(team);
        }
        else
        {
            job.PackAndMultiply(team);
        }
    }

    /// <summary>C = A B (+ C when accumulating) with B packed beforehand, then the epilogue, in the precision that B was packed in. Same bits as without packing.</summary>
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

        if (b.Precision == Precision.Bf16)
        {
            Bf16Gemm.MultiplyPacked(m, b.N, b.K, a, lda, (uint*)packed, c, ldc, accumulate, in epilogue, team);
            GC.KeepAlive(b);
            return;
        }

        var job = new Job
        {
            M = m,
            N = b.N,
            K = b.K,
            A = a,
            Lda = lda,
            C = c,
            Ldc = ldc,
            PackedB = packed,
            LongestBlockOfK = LongestBlock,
            Accumulate = accumulate,
            Epilogue = epilogue,
        };
        job.Multiply(team);
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

    // Whether rows of so many floats are whole cache lines and lie so apart that a column of them does not fall into few sets of a cache.
    private static bool FillsLines(nint floats) => floats % LineFloats == 0 && floats / LineFloats % 4 != 0;

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

        // A and B, M and N have changed places: the product is C transposed, summed up in other memory, [M, N], until the last block of k brings its tiles to C.
        public bool TransposeC;
        public int LongestBlockOfK;
        public bool Accumulate;
        public GemmEpilogue Epilogue;

        // Panels from firstPanel on; null when tasks pack for themselves.
        public float* PackedB;

        // C transposed, where that is asked for.
        private float* transposed;

        private GemmPanels panels;
        private int firstPanel;
        private int endPanel;
        private int blockK;
        private GemmCut cut;

        // Of each chunk the blocks that are done, where a task is one of them.
        private int* done;

        // Whether panels of B are read as fast where they lie as from a copy.
        private readonly bool BFillsLines => (nint)B % (LineFloats * sizeof(float)) == 0 && FillsLines(Ldb);

        /// <summary>Multiplies with B as it is: packed already, or row-major.</summary>
        public void Multiply(WorkerTeam team)
        {
            panels = new GemmPanels(N);
            endPanel = panels.Count;
            transposed = TransposeC ? GemmWorkspace.ForCaller((long)M * N) : null;
            MultiplyPanels(team);
        }

        /// <summary>Packs B and multiplies, as many panels at a time as the workspace holds.</summary>
        public void PackAndMultiply(WorkerTeam team)
        {
            panels = new GemmPanels(N);
            long floats = panels.PaddedColumns * K;
            int ranges = (int)Math.Min(panels.Count, (floats / (K > N ? PackedAtATimeOfLongSums : PackedAtATime)) + 1);
            int most = (panels.Count + ranges - 1) / ranges;
            PackedB = GemmWorkspace.ForCaller(Math.Max(1, (long)most * GemmTile.Columns * K));
            for (firstPanel = 0; firstPanel < panels.Count; firstPanel = endPanel)
            {
                endPanel = Math.Min(firstPanel + most, panels.Count);
                PackPanels(team);
                MultiplyPanels(team);
            }
        }

        /// <summary>Packs all of B.</summary>
        public void Pack(float* packed, WorkerTeam team)
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
                team.Run(endPanel - firstPanel, &PackPanel, self);
            }
        }

        private static void PackPanel(void* state, int task, int worker)
        {
            Job* job = (Job*)state;
            int column = job->panels.Start(job->firstPanel + task);
            int width = job->panels.Width(job->firstPanel + task);
            float* source = job->B + (job->TransposeB ? column * job->Ldb : column);
            GemmPacking.PackPanel(job->TransposeB, Math.Min(width, job->N - column), width, job->K, source, job->Ldb, job->Packed(column));
        }

        private void MultiplyPanels(WorkerTeam team)
        {
            int blocks = Math.Max(1, (K + LongestBlockOfK - 1) / LongestBlockOfK);
            blockK = Math.Max(1, (K + blocks - 1) / blocks);
            blocks = Math.Max(1, (K + blockK - 1) / blockK);
            int strips = (M + GemmTile.Rows - 1) / GemmTile.Rows;
            cut = new GemmCut(strips, endPanel - firstPanel, GemmTile.Rows * blockK * sizeof(float), (long)M * N * Math.Max(K, 1), blocks, TransposeA, team.Threads);
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
            GemmTileCall call = default;
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

        private readonly float* Packed(int column) => PackedB + ((nint)(column - panels.Start(firstPanel)) * K);

        /// <summary>Some strips of rows times some panels: over all of k, or a block of it.</summary>
        private ref struct Chunk
        {
            private readonly Job* job;
            private readonly GemmTileCall* call;
            private readonly int firstRow;
            private readonly int endRow;
            private readonly int firstPanel;
            private readonly int endPanel;
            private readonly bool packsA;
            private readonly float* panelCopy;
            private readonly float* stripCopies;
            private int block;

            public Chunk(Job* job, GemmTileCall* call, int firstRow, int endRow, int firstPanel, int endPanel)
            {
                this.job = job;
                this.call = call;
                this.firstRow = firstRow;
                this.endRow = endRow;
                this.firstPanel = firstPanel;
                this.endPanel = endPanel;
                packsA = job->TransposeA && endPanel - firstPanel > 1;
                nint panelFloats = job->PackedB == null ? (nint)GemmTile.Columns * job->blockK : 0;
                nint stripFloats = packsA ? (nint)(endRow - firstRow + GemmTile.Rows) * job->blockK : 0;
                panelCopy = GemmWorkspace.ForTask(panelFloats + stripFloats);
                stripCopies = panelCopy + panelFloats;
                call->Scale = 1f;
                call->Ldc = job->TransposeC ? job->N : job->Ldc;
                call->TargetStep = job->Ldc;
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
                call->K = Math.Min(job->blockK, job->K - block);
                call->Accumulate = job->Accumulate || block > 0;
                for (int panel = firstPanel; panel < endPanel; panel++)
                {
                    MultiplyPanel(panel);
                }
            }

            private void MultiplyPanel(int panel)
            {
                int column = job->panels.Start(panel);
                int width = job->panels.Width(panel);
                int columns = Math.Min(width, job->N - column);
                int vectors = width / GemmTile.Lane;
                call->Last = columns - width + GemmTile.Lane;
                bool packsB = false;
                bool doubled = GemmTile.IsDoubled(columns, width);
                call->BStep = width;
                if (job->PackedB != null)
                {
                    call->B = job->Packed(column) + ((nint)block * width);
                }
                else
                {
                    float* source = job->B + (block * job->Ldb) + column;
                    call->B = panelCopy;
                    if (columns < width)
                    {
                        GemmPacking.PackPanel(false, columns, width, (int)call->K, source, job->Ldb, panelCopy);
                    }
                    else
                    {
                        // With a single strip of rows a copy would not be read; where whole lines lie well, it would be no faster.
                        call->B = source;
                        call->BStep = job->Ldb;
                        packsB = endRow - firstRow > GemmTile.Rows && !job->BFillsLines;
                    }
                }

                bool last = block + call->K == job->K;
                bool finishes = last && !job->Epilogue.IsEmpty;
                for (int row = firstRow; row < endRow; row += GemmTile.Rows)
                {
                    int rows = Math.Min(GemmTile.Rows, endRow - row);
                    float* target = job->C + (column * job->Ldc) + row;
                    call->C = job->TransposeC ? job->transposed + (row * call->Ldc) + column : job->C + (row * job->Ldc) + column;
                    call->Target = job->TransposeC && last ? target : null;
                    if (job->TransposeC && job->Accumulate && block == 0)
                    {
                        GemmPacking.Transpose(columns, rows, target, job->Ldc, call->C, call->Ldc);
                    }

                    bool packsStrip = packsA && panel == firstPanel;
                    if (packsStrip && (packsB || rows < GemmTile.Rows))
                    {
                        GemmPacking.PackStrip(rows, (int)call->K, SourceOfA(row), job->Lda, StripCopy(row));
                        packsStrip = false;
                    }

                    SetA(row, packsA && !packsStrip);
                    FetchAhead(panel, (row - firstRow) / GemmTile.Rows);
                    if (packsB)
                    {
                        call->Packed = panelCopy;
                        GemmTile.RunPackingB(vectors, call);
                        call->B = panelCopy;
                        call->BStep = width;
                        packsB = false;
                    }
                    else if (packsStrip)
                    {
                        call->Packed = StripCopy(row);
                        GemmTile.RunPackingA(vectors, call);
                    }
                    else if (doubled && rows == GemmTile.Rows)
                    {
                        GemmTile.RunDoubled(vectors, call);
                    }
                    else
                    {
                        GemmTile.Run(rows, vectors, call);
                    }

                    if (job->TransposeC && last)
                    {
                        GemmPacking.Transpose(rows, columns, call->C, call->Ldc, target, job->Ldc);
                    }

                    if (finishes)
                    {
                        GemmEpilogueKernel.Apply(job->Epilogue, row, rows, column, columns, job->C, job->Ldc);
                    }
                }
            }

            private void SetA(int row, bool fromCopy)
            {
                if (fromCopy)
                {
                    call->A = StripCopy(row);
                    call->ARow = 1;
                    call->AStep = GemmTile.Rows;
                }
                else
                {
                    call->A = SourceOfA(row);
                    call->ARow = job->TransposeA ? 1 : job->Lda;
                    call->AStep = job->TransposeA ? job->Lda : 1;
                }
            }

            private readonly float* SourceOfA(int row) => job->TransposeA ? job->A + (block * job->Lda) + row : job->A + (row * job->Lda) + block;

            private readonly float* StripCopy(int row) => stripCopies + ((row - firstRow) * call->K);

            // The next panel of B is fetched by the first tiles of this one, a cache line in each step. The processor does not foresee the way
            // from one panel to the next. The last panel is followed by the first one of the next block, unless that is another task.
            private readonly void FetchAhead(int panel, int tile)
            {
                bool wraps = panel + 1 == endPanel;
                int next = wraps ? firstPanel : panel + 1;
                int column = job->panels.Start(next);
                int width = job->panels.Width(next);
                nint step = wraps ? block + call->K : block;

                // Rows that are not aligned touch one line more.
                int lines = ((width + LineFloats - 1) / LineFloats) + (job->PackedB == null ? 1 : 0);
                if (tile >= lines || step >= job->K || (wraps && job->cut.ByBlocks))
                {
                    call->Ahead = call->A;
                    call->AheadStep = 0;
                }
                else if (job->PackedB == null)
                {
                    call->Ahead = job->B + (step * job->Ldb) + column + Math.Min(tile * LineFloats, width - 1);
                    call->AheadStep = job->Ldb;
                }
                else
                {
                    call->Ahead = job->Packed(column) + (step * width) + (tile * LineFloats * call->K);
                    call->AheadStep = LineFloats;
                }
            }
        }
    }
}
