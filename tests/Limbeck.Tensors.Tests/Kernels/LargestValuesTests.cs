using Limbeck.Tensors.Kernels;

namespace Limbeck.Tensors.Tests.Kernels;

public sealed class LargestValuesTests
{
    private const ulong Seed = 71;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(15)]
    [InlineData(64)]
    public void They_are_those_of_a_sort_for_every_length_0_to_150(int most)
    {
        SeededRandom random = new(Seed);
        for (int length = 0; length <= 150; length++)
        {
            // Few different values, so that many are equal.
            float[] values = [.. Enumerable.Range(0, length).Select(_ => length % 2 == 0 ? random.NextInt(9) - 4f : (float)random.Gaussian())];
            bool[] allowed = [.. values.Select(_ => random.NextInt(3) > 0)];
            LargestValues largest = new(most);
            largest.Add(values, 0, allowed);
            int[] expected = [.. Enumerable.Range(0, length).Where(i => allowed[i]).OrderByDescending(i => values[i]).ThenBy(i => i).Take(most)];
            Assert.True(expected.SequenceEqual(largest.Places.ToArray()), $"seed {Seed}, {length} values");
            Assert.Equal([.. expected.Select(i => values[i])], largest.Values.ToArray());
        }
    }

    [Fact]
    public void Blocks_one_after_the_other_are_as_good_as_one()
    {
        SeededRandom random = new(Seed);
        float[] values = [.. Enumerable.Range(0, 1000).Select(_ => (float)random.NextInt(50))];
        LargestValues whole = new(20);
        whole.Add(values);
        LargestValues parts = new(20);
        for (int at = 0; at < values.Length;)
        {
            int length = Math.Min(values.Length - at, random.NextInt(90));
            parts.Add(values.AsSpan(at, length), at);
            at += length;
        }

        Assert.Equal(whole.Places.ToArray(), parts.Places.ToArray());
        parts.Clear();
        Assert.Equal(0, parts.Count);
    }

    [Fact]
    public void Not_a_number_is_never_among_them_and_infinities_are()
    {
        LargestValues largest = new(3);
        largest.Add([float.NaN, 1, float.NegativeInfinity, float.NaN, float.PositiveInfinity]);
        Assert.Equal([4, 1, 2], largest.Places.ToArray());
    }

    [Fact]
    public void Permissions_of_another_length_are_refused() =>
        Assert.Throws<ArgumentException>(() => new LargestValues(2).Add([1, 2, 3], 0, [true, false]));
}
