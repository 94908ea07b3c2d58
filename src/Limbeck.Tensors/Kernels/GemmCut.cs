namespace Limbeck.Tensors.Kernels;

/// <summary>How the tiles of a matrix product are cut into tasks: rows times columns of chunks, the last of which may be cut once more.</summary>
internal readonly struct GemmCut
{
    // A task is not made smaller than this many multiply-adds, ...
    private const long SmallestTask = 1 << 18;

    // ... nor larger than this many strips of rows, ...
    private const int MostStrips = 48;

    // ... nor than this many bytes of a block of its rows, which are read again for every panel and should stay in the second-level cache.
    private const int MostBytes = 768 << 10;

    // Where cores are shared, one of them is often slower than its fellow for a moment, and with many tasks the fellow waits little.
    private const long TasksPerThread = 8;

    // Where every task first copies what it multiplies (a weight gradient: both operands lie the wrong way round, and k is long), many tasks copy more than waiting costs ...
    private const long CopyingTasksPerThread = 2;

    // ... but the last one of each thread is cut into so many, so that a thread that was held up leaves some of it to its fellow, ...
    private const int LastParts = 3;

    // ... where each of them has so many panels to multiply with what it copied.
    private const int LeastPanels = 5;

    private readonly int strips;
    private readonly int panels;
    private readonly int rows;
    private readonly int columns;
    private readonly int whole;

    /// <summary>Chooses.</summary>
    /// <remarks>
    /// Eight tasks a thread (two where they copy a transposed A) if the work is large enough, so that a thread that is held up does not hold up the rest. Among the cuts
    /// with about that many, the one whose longest thread has least to do: a tile takes one unit of time, the first of a strip and of a
    /// panel more, as their operands come from farther away.
    /// </remarks>
    /// <param name="strips">Strips of rows.</param>
    /// <param name="panels">Panels of columns.</param>
    /// <param name="stripBytes">Bytes of a strip in a block of k.</param>
    /// <param name="work">Multiply-adds of the whole.</param>
    /// <param name="copying">Whether each task copies its strips into another order (A is stored transposed).</param>
    /// <param name="threads">Threads that share it.</param>
    public GemmCut(int strips, int panels, int stripBytes, long work, bool copying, int threads)
    {
        this.strips = strips;
        this.panels = panels;
        long wanted = threads == 1 ? 1 : Math.Clamp(work / SmallestTask, 1, (copying ? CopyingTasksPerThread : TasksPerThread) * threads);
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

        int chunks = rows * columns;
        bool cutsLast = copying && threads > 1 && chunks >= CopyingTasksPerThread * threads && panels >= LastParts * LeastPanels * columns;
        whole = cutsLast ? chunks - threads : chunks;
    }

    /// <summary>Tasks.</summary>
    public int Count => whole + (LastParts * ((rows * columns) - whole));

    /// <summary>What a task computes.</summary>
    /// <param name="task">0..<see cref="Count"/>-1.</param>
    /// <returns>Strips of rows and panels of columns, each from a first one to before an end.</returns>
    public (int FirstStrip, int EndStrip, int FirstPanel, int EndPanel) Task(int task)
    {
        (int chunk, int part) = task < whole ? (task, 0) : (whole + ((task - whole) / LastParts), (task - whole) % LastParts);
        (int row, int column) = (chunk / columns, chunk % columns);
        int firstPanel = Start(panels, columns, column);
        int width = Start(panels, columns, column + 1) - firstPanel;
        int parts = task < whole ? 1 : LastParts;
        return (Start(strips, rows, row), Start(strips, rows, row + 1), firstPanel + Start(width, parts, part), firstPanel + Start(width, parts, part + 1));
    }

    private static int Start(int length, int parts, int part) => (int)((long)length * part / parts);
}
