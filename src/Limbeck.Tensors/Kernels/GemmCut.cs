namespace Limbeck.Tensors.Kernels;

/// <summary>How the tiles of a matrix product are cut into chunks, rows times columns of them, and their work into tasks.</summary>
/// <remarks>
/// A task is a chunk over all of k. Where tasks copy A and perhaps B (a weight gradient), large chunks copy least, but few large tasks leave threads waiting for the last one; so there,
/// with several threads, a task is one block of k of a chunk. The tasks of the first block come first, then those of the second: a chunk's sums go on where the block before has left them, in the order of k whoever computes them.
/// </remarks>
internal readonly struct GemmCut
{
    // A chunk is not made smaller than this many multiply-adds, ...
    private const long SmallestTask = 1 << 18;

    // ... nor larger than this many strips of rows, ...
    private const int MostStrips = 48;

    // ... nor than this many bytes of a block of its rows, which are read again for every panel and should stay in the second-level cache.
    private const int MostBytes = 768 << 10;

    // Where cores are shared, one of them is often slower than its fellow for a moment, and with many tasks the fellow waits little.
    private const long ChunksPerThread = 8;

    // Where every task copies its strips of A, and perhaps its panels of B, before it multiplies them (k is long). With two, a thread that is a task behind does not stop the other.
    private const long CopiedChunksPerThread = 2;

    // Each chunk of tasks by blocks has a counter on the stack. So many chunks need no finer tasks.
    private const int MostChunksByBlocks = 1024;

    private readonly int strips;
    private readonly int panels;
    private readonly int rows;
    private readonly int columns;
    private readonly int blocks;

    /// <summary>Chooses.</summary>
    /// <remarks>
    /// Eight chunks a thread (two where tasks copy a transposed A) if the work is large enough, so that a thread that is held up does not hold up the rest. Among the cuts
    /// with about that many, the one whose longest thread has least to do: a tile takes one unit of time, the first of a strip and of a
    /// panel more, as their operands come from farther away.
    /// </remarks>
    /// <param name="strips">Strips of rows.</param>
    /// <param name="panels">Panels of columns.</param>
    /// <param name="stripBytes">Bytes of a strip in a block of k.</param>
    /// <param name="work">Multiply-adds of the whole.</param>
    /// <param name="blocks">Blocks of k.</param>
    /// <param name="copying">Whether each task copies its strips into another order (A is stored transposed).</param>
    /// <param name="threads">Threads that share it.</param>
    public GemmCut(int strips, int panels, int stripBytes, long work, int blocks, bool copying, int threads)
    {
        this.strips = strips;
        this.panels = panels;
        long wanted = threads == 1 ? 1 : Math.Clamp(work / SmallestTask, 1, (copying ? CopiedChunksPerThread : ChunksPerThread) * threads);
        int mostStrips = Math.Clamp(MostBytes / Math.Max(stripBytes, 1), 1, MostStrips);
        long best = long.MaxValue;
        (rows, columns) = (1, 1);
        for (int across = 1; across <= Math.Min(panels, 2 * wanted); across++)
        {
            int least = (int)Math.Max((strips + mostStrips - 1) / mostStrips, (wanted + across - 1) / across);
            int most = Math.Min(strips, least + Math.Min(threads, 8) - 1);
            for (int down = Math.Min(least, strips); down <= most; down++)
            {
                long height = (strips + down - 1) / down;
                long width = (panels + across - 1) / across;
                long rounds = (((long)down * across) + threads - 1) / threads;
                long cost = rounds * ((2 * height * width) + height + (2 * width));
                if (cost < best)
                {
                    best = cost;
                    (rows, columns) = (down, across);
                }
            }
        }

        Chunks = rows * columns;
        this.blocks = copying && threads > 1 && Chunks > threads && Chunks <= MostChunksByBlocks ? blocks : 1;
    }

    /// <summary>Chunks.</summary>
    public int Chunks { get; }

    /// <summary>Tasks.</summary>
    public int Tasks => Chunks * blocks;

    /// <summary>Whether a task is one block of k of its chunk, and not all of them.</summary>
    public bool ByBlocks => blocks > 1;

    /// <summary>The chunk and the block of k of a task.</summary>
    /// <remarks>Each block begins with another chunk: they differ by a strip or a panel, and threads that take turns would get those of one size in all blocks. A chunk's blocks stay in order.</remarks>
    /// <param name="task">0..<see cref="Tasks"/>-1.</param>
    public (int Chunk, int Block) Task(int task)
    {
        int block = task / Chunks;
        return ((int)(((long)task + block) % Chunks), block);
    }

    /// <summary>The strips of rows and panels of columns of a chunk, each from a first one to before an end.</summary>
    /// <param name="chunk">0..<see cref="Chunks"/>-1.</param>
    public (int FirstStrip, int EndStrip, int FirstPanel, int EndPanel) Chunk(int chunk)
    {
        int row = chunk / columns;
        int column = chunk % columns;
        return (Start(strips, rows, row), Start(strips, rows, row + 1), Start(panels, columns, column), Start(panels, columns, column + 1));
    }

    /// <summary>Waits until the block before this one is done; a thread that runs all tasks by itself never waits.</summary>
    /// <param name="done">For each chunk the number of its blocks that are done. A task before this one makes it rise, and it is under way already: tasks are begun in their order.</param>
    /// <param name="chunk">The chunk.</param>
    /// <param name="block">The block.</param>
    public static unsafe void Await(int* done, int chunk, int block)
    {
        SpinWait spin = default;
        while (Volatile.Read(ref done[chunk]) < block)
        {
            spin.SpinOnce(-1);
        }
    }

    private static int Start(int length, int parts, int part) => (int)((long)length * part / parts);
}
