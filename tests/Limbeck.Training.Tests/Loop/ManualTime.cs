namespace Limbeck.Training.Tests.Loop;

/// <summary>A clock that stands until the test moves it.</summary>
internal sealed class ManualTime : TimeProvider
{
    private TimeSpan since;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => since.Ticks;

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.Zero) + since;

    public void Advance(double seconds) => since += TimeSpan.FromSeconds(seconds);
}
