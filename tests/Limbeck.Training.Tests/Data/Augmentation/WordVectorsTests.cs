using System.IO.Compression;
using System.Text;
using Limbeck.Tensors;
using Limbeck.Tensors.Threading;
using Limbeck.Training.Data;
using Limbeck.Training.Data.Augmentation;

namespace Limbeck.Training.Tests.Data.Augmentation;

public sealed class WordVectorsTests
{
    private const ulong Seed = 31;

    [Theory]
    [InlineData(10, 3, 4)]
    [InlineData(300, 17, 15)]
    [InlineData(9000, 20, 15)]
    public void The_nearest_are_those_of_a_search_in_double_precision(int count, int dimensions, int most)
    {
        SeededRandom random = new(Seed);
        using WordVectors vectors = new(dimensions);
        double[][] rows = new double[count][];
        for (int i = 0; i < count; i++)
        {
            float[] row = [.. Enumerable.Range(0, dimensions).Select(_ => (float)random.Gaussian())];
            Assert.True(vectors.TryAdd($"w{i}", row));
            double length = Math.Sqrt(row.Sum(value => (double)value * value));
            rows[i] = [.. row.Select(value => value / length)];
        }

        string[] queries = [.. Enumerable.Range(0, Math.Min(count, 300)).Select(i => $"w{i * 7 % count}"), "unknown"];
        IReadOnlyDictionary<string, IReadOnlyList<string>> nearest = vectors.Nearest(queries, most, WorkerTeam.Default);
        Assert.False(nearest.ContainsKey("unknown"));
        foreach ((string query, IReadOnlyList<string> found) in nearest)
        {
            int self = int.Parse(query[1..], System.Globalization.CultureInfo.InvariantCulture);
            double Cosine(int other) => rows[self].Zip(rows[other], (a, b) => a * b).Sum();
            double[] expected = [.. Enumerable.Range(0, count).Where(i => i != self).Select(Cosine).OrderDescending().Take(most)];
            double[] actual = [.. found.Select(word => Cosine(int.Parse(word[1..], System.Globalization.CultureInfo.InvariantCulture)))];
            Assert.DoesNotContain(query, found);

            // Neighbours in rank may change places where float32 cannot tell them apart.
            Assert.True(expected.Zip(actual).All(pair => Math.Abs(pair.First - pair.Second) < 1e-6), $"seed {Seed}, {query}");
        }
    }

    [Fact]
    public void They_are_the_same_whatever_the_threads()
    {
        SeededRandom random = new(Seed);
        using WordVectors vectors = new(33);
        for (int i = 0; i < 5000; i++)
        {
            vectors.TryAdd($"w{i}", [.. Enumerable.Range(0, 33).Select(_ => (float)random.Gaussian())]);
        }

        string[] queries = [.. Enumerable.Range(0, 500).Select(i => $"w{i}")];
        using WorkerTeam one = new(1);
        using WorkerTeam three = new(3);
        Assert.Equal(Text(vectors.Nearest(queries, 9, one)), Text(vectors.Nearest(queries, 9, three)));
        static string Text(IReadOnlyDictionary<string, IReadOnlyList<string>> nearest) => string.Join('\n', nearest.Select(pair => $"{pair.Key}: {string.Join(' ', pair.Value)}"));
    }

    [Fact]
    public void A_vector_without_a_direction_or_a_word_that_is_there_is_not_added()
    {
        using WordVectors vectors = new(2);
        Assert.False(vectors.TryAdd("zero", [0, 0]));
        Assert.False(vectors.TryAdd("nan", [float.NaN, 1]));
        Assert.True(vectors.TryAdd("a", [3, 4]));
        Assert.False(vectors.TryAdd("a", [1, 0]));
        Assert.Equal(1, vectors.Count);
    }

    [Fact]
    public void A_models_own_embeddings_are_averaged_over_a_words_pieces()
    {
        using AugmentWorld world = new();
        using WordVectors vectors = WordVectors.OfEmbeddings(world.Model.Encoder, world.Tokenizer, ["films", "ungood", "日"]);
        Assert.True(vectors.Contains("films") && vectors.Contains("film"));
        Assert.False(vectors.Contains("日") || vectors.Contains("the") || vectors.Contains("##good") || vectors.Contains("2"));
        int[] pieces = world.Tokenizer.Tokenize("films");
        Assert.Equal(2, pieces.Length);
        Tensor table = world.Model.Encoder.WordEmbeddings.Value;
        double[] mean = [.. Enumerable.Range(0, table.Columns).Select(i => (double)table.Row(pieces[0])[i] + table.Row(pieces[1])[i])];
        IReadOnlyList<string> nearest = vectors.Nearest(["films"], 3, WorkerTeam.Default)["films"];
        string[] expected = [.. world.Tokenizer.Vocabulary.Where(word => TinyBertAugmentation.IsReplaceable(word) && world.Tokenizer.Tokenize(word).Length == 1).Append("ungood")
            .OrderByDescending(word => Cosine(mean, world.Tokenizer.Tokenize(word))).Take(3)];
        Assert.Equal(expected, nearest);

        double Cosine(double[] a, int[] ids)
        {
            double[] b = [.. Enumerable.Range(0, table.Columns).Select(i => ids.Sum(id => (double)table.Row(id)[i]))];
            return a.Zip(b, (x, y) => x * y).Sum() / Math.Sqrt(a.Sum(x => x * x) * b.Sum(y => y * y));
        }
    }

    [Fact]
    public void Bad_lines_of_a_file_are_left_out_and_reported_with_their_numbers()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write(
            "glove.txt",
            "film 1 0 0\nshort 1 2\nfood 0 1 0\nodd 1 x 3\nfilm 9 9 9\nnought 0 0 0\nbig 1e99 0 0\nat name@site.com 1 1 1\nhero 0.5 0.5 -1.5e-2\n 1 2 3\n");
        StringWriter messages = new();
        using WordVectors vectors = WordVectorFile.Read(path, 0, word => !word.Contains(' ', StringComparison.Ordinal), messages);
        Assert.Equal((3, 3), (vectors.Count, vectors.Dimensions));
        foreach (string part in (string[])
                 [
                     "6 line(s)", "line 2: got 2 number(s); needed 3", "line 4: 'x' is not a number", "line 5: the word 'film' was there before", "line 6: the vector of 'nought'",
                     "line 7: '1e99' is not finite", "line 10: there is no word", "1 more are for",
                 ])
        {
            Assert.Contains(part, messages.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_first_line_of_counts_a_limit_and_gzip_are_understood()
    {
        using TemporaryFolder folder = new();
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes("4 2\na 1 0\nb 0 1 \nc 1 1\nd -1 1\n"));
        }

        string path = folder.Write("vectors.txt.gz", packed.ToArray());
        using WordVectors all = WordVectorFile.Read(path, 0, _ => true, TextWriter.Null);
        using WordVectors some = WordVectorFile.Read(path, 3, _ => true, TextWriter.Null);
        Assert.Equal((4, 2, 2), (all.Count, all.Dimensions, some.Count));
        Assert.NotEqual(all.Fingerprint, some.Fingerprint);
    }

    [Theory]
    [InlineData("")]
    [InlineData("one 1 2\n")]
    [InlineData("text without numbers\nand more of it\n")]
    public void A_file_that_has_no_word_vectors_is_refused_by_name(string text)
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("glove.txt", text);
        Assert.Contains(path, Assert.Throws<DataException>(() => WordVectorFile.Read(path, 0, _ => true, TextWriter.Null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_there_is_refused_by_name() =>
        Assert.Contains("nowhere.txt", Assert.Throws<DataException>(() => WordVectorFile.Read("nowhere.txt", 0, _ => true, TextWriter.Null)).Message, StringComparison.Ordinal);
}
