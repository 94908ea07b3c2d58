namespace Limbeck.Training.Tests.Jobs;

/// <summary>Messages that cancel a run when a line begins in a certain way.</summary>
internal sealed class StoppingWriter(CancellationTokenSource stop, string trigger) : StringWriter
{
    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        if (value?.StartsWith(trigger, StringComparison.Ordinal) == true)
        {
            stop.Cancel();
        }
    }
}
