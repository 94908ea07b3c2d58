using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Loop;

public sealed unsafe class TeacherCacheTests : IDisposable
{
    private const string Key = "0123abcd";
    private static readonly TeacherCacheShape Small = new(Classes: 3, HiddenLayers: 2, HiddenSize: 5, AttentionLayers: 1, Heads: 2);
    private static readonly int[] Lengths = [3, 1, 7, 4, 4, 9, 2];

    // About 3.2 MB a record, so that 12 records are three chunks: six, then six more with the last one short of a chunk.
    private static readonly TeacherCacheShape Large = new(Classes: 1, HiddenLayers: 1, HiddenSize: 16000);
    private static readonly int[] LargeLengths = [.. Enumerable.Repeat(100, 12)];

    private readonly TemporaryFolder folder = new();
    private readonly List<string> warnings = [];
    private string FilePath => new CacheDirectory(folder.Path).PathOf(Key);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Records_read_back_as_their_halves_from_several_threads()
    {
        using TeacherCacheFile cache = Write(Small, Lengths);
        Assert.Equal((Lengths.Length, Key, "{\"task\":\"MRPC\"}"), (cache.Count, cache.Key, cache.Description));
        Parallel.For(0, 200, n => AssertRecord(cache, Small, Lengths, n % Lengths.Length));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Get(Lengths.Length).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Get(0).Hidden(2).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Get(0).Attention(-1).Length);
    }

    [Fact]
    public void A_cache_of_logits_alone_and_one_of_no_examples_are_files_too()
    {
        TeacherCacheShape logits = new(Classes: 2);
        using (TeacherCacheFile cache = Write(logits, Lengths))
        {
            AssertRecord(cache, logits, Lengths, 6);
        }

        File.Delete(FilePath);
        using TeacherCacheFile none = Write(logits, []);
        Assert.Equal(0, none.Count);
    }

    [Fact]
    public void Reading_allocates_nothing()
    {
        using TeacherCacheFile cache = Write(Small, Lengths);
        _ = cache.Get(0).Hidden(0).Length + cache.Get(0).Attention(0).Length + cache.Get(0).Logits.Length;
        long before = GC.GetAllocatedBytesForCurrentThread();
        int sum = 0;
        for (int n = 0; n < 1000; n++)
        {
            TeacherRecord record = cache.Get(n % Lengths.Length);
            sum += record.Hidden(1).Length + record.Attention(0).Length + record.Logits.Length;
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(sum > 0);
    }

    [Fact]
    public void The_estimate_is_the_size_but_for_the_texts()
    {
        Write(Small, Lengths).Dispose();
        long size = new FileInfo(FilePath).Length;
        Assert.InRange(size - TeacherCacheFile.EstimateBytes(Lengths, Small), 0, 128);
        Assert.Equal(12 * 3_200_016L, TeacherCacheFile.EstimateBytes(LargeLengths, Large) - 192 - (2 * 32));
    }

    [Fact]
    public void Any_flipped_bit_is_found_at_the_next_opening_and_the_file_is_made_again()
    {
        Write(Small, Lengths).Dispose();
        byte[] good = File.ReadAllBytes(FilePath);
        for (int at = 0; at < good.Length; at++)
        {
            byte[] bytes = [.. good];
            bytes[at] ^= (byte)(1 << (at % 8));
            File.WriteAllBytes(FilePath, bytes);
            File.SetLastWriteTimeUtc(FilePath, DateTime.UtcNow.AddSeconds(at + 1));
            Assert.Throws<InvalidDataException>(() => TeacherCacheFile.Open(FilePath, Key));
        }

        Assert.Null(TeacherCacheFile.TryOpen(FilePath, Key, warnings.Add));
        Assert.Contains(FilePath, Assert.Single(warnings), StringComparison.Ordinal);
        Assert.False(File.Exists(FilePath));
        Write(Small, Lengths).Dispose();
        Assert.Equal(good, File.ReadAllBytes(FilePath));
    }

    [Fact]
    public void A_file_of_any_other_length_is_refused()
    {
        Write(Small, Lengths).Dispose();
        byte[] good = File.ReadAllBytes(FilePath);
        for (int length = 0; length < good.Length; length++)
        {
            File.WriteAllBytes(FilePath, good[..length]);
            Assert.Throws<InvalidDataException>(() => TeacherCacheFile.Open(FilePath, Key));
        }

        File.WriteAllBytes(FilePath, [.. good, 0]);
        Assert.Throws<InvalidDataException>(() => TeacherCacheFile.Open(FilePath, Key));
    }

    [Fact]
    public void A_checked_file_is_not_read_again_until_it_changes()
    {
        Write(Small, Lengths).Dispose();
        DateTime changed = File.GetLastWriteTimeUtc(FilePath);
        byte[] bytes = File.ReadAllBytes(FilePath);
        bytes[^40] ^= 1;
        File.WriteAllBytes(FilePath, bytes);
        File.SetLastWriteTimeUtc(FilePath, changed);
        TeacherCacheFile.Open(FilePath, Key).Dispose();
        File.SetLastWriteTimeUtc(FilePath, changed.AddSeconds(1));
        string message = Assert.Throws<InvalidDataException>(() => TeacherCacheFile.Open(FilePath, Key)).Message;
        Assert.Contains("examples 0 to 6", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_with_another_key_is_not_opened()
    {
        Write(Small, Lengths).Dispose();
        Assert.Contains("ffff", Assert.Throws<InvalidDataException>(() => TeacherCacheFile.Open(FilePath, "ffff")).Message, StringComparison.Ordinal);
        Assert.Null(TeacherCacheFile.TryOpen(folder["none.teacher"], Key));
    }

    [Fact]
    public void A_killed_writing_is_taken_up_after_its_last_whole_chunk()
    {
        Write(Large, LargeLengths).Dispose();
        byte[] whole = File.ReadAllBytes(FilePath);
        File.Delete(FilePath);
        const int Record = 3_200_016;
        const int Chunk = (6 * Record) + 32;
        const int Header = 192;
        (long Length, int Count)[] cuts = [(0, 0), (100, 0), (Header, 0), (Header + 5, 0), (Header + Chunk - 1, 0), (Header + Chunk, 6), (Header + Chunk + Record, 6), (whole.Length - 1, 6), (whole.Length, 12)];
        Assert.Equal(Header + (2 * Chunk), whole.Length);
        foreach ((long length, int count) in cuts)
        {
            File.WriteAllBytes(FilePath + ".part", whole[..(int)length]);
            using (TeacherCacheWriter writer = Begin(Large, LargeLengths)!)
            {
                Assert.Equal(count, writer.Count);
                Append(writer, Large, LargeLengths, writer.Count, writer.Total);
                writer.Complete().Dispose();
            }

            Assert.True(whole.AsSpan().SequenceEqual(File.ReadAllBytes(FilePath)));
            Assert.False(File.Exists(FilePath + ".part"));
            File.Delete(FilePath);
        }

        byte[] damaged = [.. whole];
        damaged[Header + Chunk + 77] ^= 1;
        File.WriteAllBytes(FilePath + ".part", damaged);
        using TeacherCacheWriter again = Begin(Large, LargeLengths)!;
        Assert.Equal(6, again.Count);
    }

    [Fact]
    public void A_part_of_other_data_is_begun_anew()
    {
        using (TeacherCacheWriter writer = Begin(Small, Lengths)!)
        {
            Append(writer, Small, Lengths, 0, 3);
        }

        int[] other = [.. Lengths.Reverse()];
        using TeacherCacheFile cache = Write(Small, other);
        AssertRecord(cache, Small, other, 3);
    }

    [Fact]
    public void A_second_process_is_kept_out_while_one_writes_and_after_it_has_written()
    {
        using (TeacherCacheWriter writer = Begin(Small, Lengths)!)
        {
            Assert.Null(Begin(Small, Lengths));
            Append(writer, Small, Lengths, 0, Lengths.Length);
            writer.Complete().Dispose();
        }

        Assert.Null(Begin(Small, Lengths));
        Assert.NotNull(TeacherCacheFile.TryOpen(FilePath, Key));
    }

    [Fact]
    public void Examples_come_in_order_and_all_of_them()
    {
        using TeacherCacheWriter writer = Begin(Small, Lengths)!;
        Append(writer, Small, Lengths, 0, 2);
        Assert.Contains("the next is 2 of 7", Assert.Throws<ArgumentException>(() => Append(writer, Small, Lengths, 4, 5)).Message, StringComparison.Ordinal);
        Assert.Contains("2 of 7", Assert.Throws<InvalidOperationException>(() => writer.Complete()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_half_precision_cannot_hold_is_refused_with_the_example()
    {
        using TeacherCacheWriter writer = Begin(new TeacherCacheShape(1, 1, 1), [1])!;
        string message = Assert.Throws<InvalidDataException>(() => AppendOne(70000)).Message;
        Assert.Contains("example 0", message, StringComparison.Ordinal);
        Assert.Contains("--no-teacher-cache", message, StringComparison.Ordinal);
        AppendOne(65504);
        writer.Complete().Dispose();

        void AppendOne(float value)
        {
            float logit = 0;
            float* hidden = &value;
            writer.Append(0, &logit, &hidden, null);
        }
    }

    [Fact]
    public void The_list_shows_key_size_and_what_made_it_and_removing_takes_patterns()
    {
        CacheDirectory directory = new(folder.Path);
        Assert.Empty(new CacheDirectory(folder["not-there"]).List());
        foreach (string key in (string[])["aa11", "aa22", "bb33"])
        {
            using TeacherCacheWriter writer = TeacherCacheWriter.TryBegin(directory.PathOf(key), key, $"{{\"for\":\"{key}\"}}", Small, Lengths)!;
            Append(writer, Small, Lengths, 0, Lengths.Length);
            writer.Complete().Dispose();
        }

        TeacherCacheWriter busy = TeacherCacheWriter.TryBegin(directory.PathOf("cc44"), "cc44", "{}", Small, Lengths)!;
        File.WriteAllText(folder["other.txt"], "not of the cache");
        File.SetLastAccessTimeUtc(directory.PathOf("aa22"), DateTime.UtcNow.AddHours(1));

        IReadOnlyList<CacheEntry> entries = directory.List();
        Assert.Equal("aa22", entries[0].Key);
        Assert.Equal(["aa11", "aa22", "bb33", "cc44"], entries.Select(entry => entry.Key).Order());
        Assert.Equal("{\"for\":\"aa22\"}", entries[0].Description);
        Assert.Equal(new FileInfo(directory.PathOf("aa22")).Length, entries[0].Bytes);
        Assert.Equal(["cc44"], entries.Where(entry => !entry.Complete).Select(entry => entry.Key));

        Assert.Empty(directory.Remove(""));
        Assert.Empty(directory.Remove("zz"));
        Assert.Equal(["bb33"], directory.Remove("bb").Select(entry => entry.Key));
        Assert.Equal(["aa11"], directory.Remove("a?1*").Select(entry => entry.Key));
        Assert.Equal(["aa22"], directory.Remove().Select(entry => entry.Key));
        busy.Dispose();
        Assert.Equal(["cc44"], directory.Remove().Select(entry => entry.Key));
        Assert.Equal(["other.txt"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void The_default_folder_follows_the_environment()
    {
        Dictionary<string, string> environment = new() { ["HOME"] = folder["home"], ["XDG_CACHE_HOME"] = folder["xdg"], ["LIMBECK_CACHE"] = folder["own"] };
        string? Get(string name) => environment.GetValueOrDefault(name);
        Assert.Equal(folder["own"], CacheDirectory.DefaultPath(Get));
        environment.Remove("LIMBECK_CACHE");
        Assert.Equal(Path.Combine(folder["xdg"], "limbeck"), CacheDirectory.DefaultPath(Get));
        environment["XDG_CACHE_HOME"] = "relative";
        if (OperatingSystem.IsLinux())
        {
            Assert.Equal(Path.Combine(folder["home"], ".cache", "limbeck"), CacheDirectory.DefaultPath(Get));
        }
    }

    private TeacherCacheWriter? Begin(TeacherCacheShape shape, int[] lengths) =>
        TeacherCacheWriter.TryBegin(FilePath, Key, "{\"task\":\"MRPC\"}", shape, lengths);

    private TeacherCacheFile Write(TeacherCacheShape shape, int[] lengths)
    {
        using TeacherCacheWriter writer = Begin(shape, lengths)!;
        Append(writer, shape, lengths, writer.Count, lengths.Length);
        return writer.Complete();
    }

    private static void Append(TeacherCacheWriter writer, TeacherCacheShape shape, int[] lengths, int first, int end)
    {
        float** hidden = stackalloc float*[8];
        float** attention = stackalloc float*[8];
        for (int index = first; index < end; index++)
        {
            // Every value says where it belongs; one block holds logits, hidden states and scores end to end.
            float[] values = Values(shape, lengths, index);
            fixed (float* pointer = values)
            {
                for (int layer = 0; layer < shape.HiddenLayers; layer++)
                {
                    hidden[layer] = pointer + shape.Classes + (layer * lengths[index] * shape.HiddenSize);
                }

                for (int layer = 0; layer < shape.AttentionLayers; layer++)
                {
                    attention[layer] = pointer + shape.Classes + (shape.HiddenLayers * lengths[index] * shape.HiddenSize) + (layer * shape.Heads * lengths[index] * lengths[index]);
                }

                writer.Append(index, pointer, hidden, attention);
            }
        }
    }

    private static float[] Values(TeacherCacheShape shape, int[] lengths, int index)
    {
        int length = lengths[index];
        int count = shape.Classes + (shape.HiddenLayers * shape.HiddenSize * length) + (shape.AttentionLayers * shape.Heads * length * length);
        return [.. Enumerable.Range(0, count).Select(i => ((((index + 1) * 7919) + (i * 31)) % 4001 * 0.013f) - 20)];
    }

    private static void AssertRecord(TeacherCacheFile cache, TeacherCacheShape shape, int[] lengths, int index)
    {
        TeacherRecord record = cache.Get(index);
        float[] values = Values(shape, lengths, index);
        Assert.Equal(lengths[index], record.Length);
        Assert.Equal(values[..shape.Classes], record.Logits.ToArray());
        List<Half> halves = [];
        for (int layer = 0; layer < shape.HiddenLayers; layer++)
        {
            Assert.Equal(lengths[index] * shape.HiddenSize, record.Hidden(layer).Length);
            halves.AddRange(record.Hidden(layer));
        }

        for (int layer = 0; layer < shape.AttentionLayers; layer++)
        {
            halves.AddRange(record.Attention(layer));
        }

        Assert.Equal(values[shape.Classes..].Select(value => (Half)value), halves);
    }
}
