namespace Limbeck.Tensors.Kernels;

/// <summary>How the tiles of a matrix product are cut into tasks: rows times columns of chunks.</summary>
internal static class GemmCut
{
    // A task is not made smaller than this many multiply-adds, ...
    private const long SmallestTask = 1 << 18;

    // ... nor larger than this many strips of rows: a block of k of them fits the second-level cache.
    private const int MostStrips = 48;

    // Where cores are shared, one of them is often slower than its fellow for a moment, and with many tasks the fellow waits little.
    private const long TasksPerThread = 8;

    // Where every task first copies what it multiplies (a weight gradient: both operands lie the wrong way round, and k is long), many tasks copy more than waiting costs.
    private const long CopyingTasksPerThread = 2;

    /// <summary>Chooses the numbers of chunks.</summary>
    /// <remarks>
    /// Eight tasks a thread (two where they copy a transposed A) if the work is large enough, so that a thread that is held up does not hold up the rest. Among the cuts
    /// with about that many, the one whose longest thread has least to do: a tile takes one unit of time, the first of a strip and of a
    /// panel more, as their operands come from farther away.
    /// </remarks>
    /// <param name="strips">Strips of rows.</param>
    /// <param name="panels">Panels of columns.</param>
    /// <param name="work">Multiply-adds of the whole.</param>
    /// <param name="copying">Whether each task copies its strips into another order (A is stored transposed).</param>
    /// <param name="threads">Threads that share it.</param>
    /// <returns>Chunks along the strips and along the panels.</returns>
    public static (int Rows, int Columns) Chunks(int strips, int panels, long work, bool copying, int threads)
    {
        long wanted = threads == 1 ? 1 : Math.Clamp(work / SmallestTask, 1, (copying ? CopyingTasksPerThread : TasksPerThread) * threads);
        long best = long.MaxValue;
        (int Rows, int Columns) cut = (1, 1);
        for (int columns = 1; columns <= Math.Min(panels, 2 * wanted); columns++)
        {
            int least = (int)Math.Max((strips + MostStrips - 1) / MostStrips, (wanted + columns - 1) / columns);
            int most = Math.Min(strips, least + Math.Min(threads, 8) - 1);
            for (int rows = Math.Min(least, strips); rows <= most; rows++)
            {
                long height = (strips + rows - 1) / rows;
                long width = (panels + columns - 1) / columns;
                long rounds = (((long)rows * columns) + threads - 1) / threads;
                long cost = rounds * ((2 * height * width) + height + (2 * width));
                if (cost < best)
                {
                    best = cost;
                    cut = (rows, columns);
                }
            }
        }

        return cut;
    }

    /// <summary>Where a chunk begins.</summary>
    /// <param name="length">What is cut.</param>
    /// <param name="parts">Into how many.</param>
    /// <param name="part">Which, 0..parts.</param>
    public static int Start(int length, int parts, int part) => (int)((long)length * part / parts);
}
