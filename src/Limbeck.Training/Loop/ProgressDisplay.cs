namespace Limbeck.Training.Loop;

/// <summary>Shows how a run gets on: one live line on a terminal, otherwise a plain line now and then. Not thread-safe.</summary>
public sealed class ProgressDisplay : IDisposable
{
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(100);
    private const string EraseLine = "\r\u001b[2K";

    private readonly TextWriter writer;
    private readonly bool terminal;
    private readonly TimeProvider time;
    private readonly TimeSpan interval;
    private readonly Func<int> width;

    private string stage = "";
    private long firstStep;
    private long totalSteps;
    private long tokens;
    private long begun;
    private long? shown;
    private bool liveLine;
    private ProgressSnapshot last;
    private bool lastShown = true;

    /// <summary>A display on a writer.</summary>
    /// <param name="writer">Where to write; for a tool this is standard error.</param>
    /// <param name="terminal">True where the writer is a terminal that knows ANSI codes.</param>
    /// <param name="interval">Least time between two plain lines; null for 10 seconds.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="width">Columns of the terminal now; null for not known.</param>
    public ProgressDisplay(TextWriter writer, bool terminal, TimeSpan? interval = null, TimeProvider? time = null, Func<int>? width = null)
    {
        ArgumentNullException.ThrowIfNull(writer);
        this.writer = writer;
        this.terminal = terminal;
        this.interval = terminal ? LiveInterval : interval ?? TimeSpan.FromSeconds(10);
        this.time = time ?? TimeProvider.System;
        this.width = width ?? (static () => 0);
        begun = this.time.GetTimestamp();
    }

    /// <summary>A display on standard error, live where that is a terminal.</summary>
    public static ProgressDisplay OnStandardError()
    {
        bool dumb = Environment.GetEnvironmentVariable("TERM") is "dumb";
        return new ProgressDisplay(Console.Error, !Console.IsErrorRedirected && !dumb, width: static () => Console.WindowWidth);
    }

    /// <summary>Begins a stage; its clock starts now.</summary>
    /// <param name="name">Shown before the numbers.</param>
    /// <param name="total">Updates in all, those before a resume included; 0 when not known.</param>
    /// <param name="done">Updates that were done before, in the run that is resumed: they do not count for speed and remaining time.</param>
    public void Begin(string name, long total, long done = 0)
    {
        Finish();
        stage = name;
        totalSteps = total;
        firstStep = done;
        tokens = 0;
        begun = time.GetTimestamp();
        shown = null;
    }

    /// <summary>Tells of an update; shows it when it is time.</summary>
    /// <param name="step">Updates done, this one included.</param>
    /// <param name="loss">Its loss, or null.</param>
    /// <param name="newTokens">Real tokens since the last report.</param>
    public void Report(long step, double? loss, long newTokens)
    {
        tokens += newTokens;
        TimeSpan elapsed = time.GetElapsedTime(begun);
        long done = step - firstStep;
        double seconds = elapsed.TotalSeconds;
        TimeSpan? remaining = done > 0 && totalSteps > 0 && seconds > 0
            ? TimeSpan.FromSeconds(Math.Min(Math.Max(0, totalSteps - step) * (seconds / done), TimeSpan.MaxValue.TotalSeconds / 2))
            : null;
        last = new ProgressSnapshot(stage, step, totalSteps, loss, seconds > 0 ? tokens / seconds : 0, elapsed, remaining);
        lastShown = false;
        if (shown is null || time.GetElapsedTime(shown.Value) >= interval)
        {
            Show();
        }
    }

    /// <summary>Writes a line of its own, above the live line.</summary>
    /// <param name="text">One line.</param>
    public void Message(string text)
    {
        if (liveLine)
        {
            writer.Write(EraseLine);
            liveLine = false;
            lastShown = false;
        }

        writer.WriteLine(text);
        writer.Flush();
    }

    /// <summary>Shows the last state of the stage, if it was not, and ends its line.</summary>
    public void Finish()
    {
        if (!lastShown)
        {
            Show();
        }

        if (liveLine)
        {
            writer.WriteLine();
            writer.Flush();
            liveLine = false;
        }
    }

    /// <summary>The same as <see cref="Finish"/>; the writer stays open.</summary>
    public void Dispose() => Finish();

    private void Show()
    {
        if (terminal)
        {
            writer.Write(EraseLine + ProgressFormat.LiveLine(last, width()));
            liveLine = true;
        }
        else
        {
            writer.WriteLine(ProgressFormat.Line(last));
        }

        writer.Flush();
        shown = time.GetTimestamp();
        lastShown = true;
    }
}
