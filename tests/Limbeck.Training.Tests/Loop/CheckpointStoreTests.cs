using System.Text.Json;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Loop;

public sealed unsafe class CheckpointStoreTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly List<string> warnings = [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_look_at_the_last_checkpoint_touches_nothing_of_a_run_that_is_writing()
    {
        CheckpointStore store = Store();
        Assert.Null(store.PeekLatest());
        store.Save(1, writer => writer.WriteFloats("x", [1]));
        store.Save(2, writer => writer.WriteFloats("x", [2]));
        Directory.CreateDirectory(folder[".writing-checkpoint-3"]);
        File.Delete(Directory.GetFiles(folder["checkpoint-2"])[0]);
        using (CheckpointReader reader = store.PeekLatest()!)
        {
            Assert.Equal(1, reader.Step);
        }

        Assert.True(Directory.Exists(folder[".writing-checkpoint-3"]));
        Assert.True(Directory.Exists(folder["checkpoint-2"]));
        Assert.Empty(warnings);
    }

    [Fact]
    public void What_was_saved_reads_back_to_the_bit()
    {
        float[] odd = [1, -0f, float.NaN, float.PositiveInfinity, float.Epsilon, MathF.PI, -7];
        float[] large = [.. Enumerable.Range(0, 600_001).Select(i => i * 0.5f)];
        CheckpointStore store = Store();
        string path = store.Save(42, writer =>
        {
            writer.WriteFloats("odd", odd);
            writer.WriteFloats("empty", []);
            fixed (float* pointer = large)
            {
                writer.WriteFloats("m/large", pointer, large.Length);
            }

            writer.WriteJson("state", json => json.WriteNumber("position", 17));
            writer.WriteFile("model.txt", file => File.WriteAllText(file, "a model"));
        }, score: 0.75);

        Assert.Equal(folder["checkpoint-42"], path);
        using CheckpointReader reader = store.OpenLatest()!;
        Assert.Equal((42, 0.75), (reader.Step, reader.Score));
        Assert.Equal(["odd", "empty", "m/large"], reader.FloatNames);
        Assert.True(reader.HasFloats("odd"));
        Assert.False(reader.HasFloats("even"));
        Assert.Equal(large.Length, reader.FloatCount("m/large"));
        float[] odd2 = new float[odd.Length];
        reader.ReadFloats("odd", odd2);
        Assert.Equal(odd.Select(BitConverter.SingleToInt32Bits), odd2.Select(BitConverter.SingleToInt32Bits));
        float[] large2 = new float[large.Length];
        fixed (float* pointer = large2)
        {
            reader.ReadFloats("m/large", pointer, large2.Length);
        }

        Assert.Equal(large, large2);
        reader.ReadFloats("empty", []);
        using JsonDocument state = reader.ReadJson("state");
        Assert.Equal(17, state.RootElement.GetProperty("position").GetInt32());
        Assert.Equal("a model", File.ReadAllText(reader.PathOfFile("model.txt")));
        Assert.True(reader.HasJson("state"));
        Assert.False(reader.HasJson("other"));
    }

    [Fact]
    public void A_folder_without_checkpoints_has_no_latest()
    {
        Assert.Null(Store().OpenLatest());
        Assert.Null(new CheckpointStore(folder["not-there"]).OpenLatest());
    }

    [Fact]
    public void A_missing_array_and_another_length_are_errors_with_both_lengths()
    {
        Save(1);
        using CheckpointReader reader = Store().OpenLatest()!;
        Assert.Contains("'nothing'", Assert.Throws<InvalidDataException>(() => reader.ReadFloats("nothing", new float[1])).Message, StringComparison.Ordinal);
        string message = Assert.Throws<InvalidDataException>(() => reader.ReadFloats("weights", new float[99])).Message;
        Assert.Contains("has 100 values; 99 are needed", message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => reader.ReadJson("nothing"));
    }

    [Fact]
    public void Any_flipped_bit_of_any_file_is_found_or_changes_nothing()
    {
        string path = Save(1);
        foreach (string file in Directory.GetFiles(path))
        {
            byte[] bytes = File.ReadAllBytes(file);
            for (int at = 0; at < bytes.Length; at++)
            {
                byte good = bytes[at];
                bytes[at] ^= (byte)(1 << (at % 8));
                File.WriteAllBytes(file, bytes);
                AssertDamagedOrSame(path);
                bytes[at] = good;
            }

            File.WriteAllBytes(file, bytes);
        }

        CheckpointStore.Open(path).Dispose();
    }

    [Fact]
    public void A_file_cut_short_or_missing_is_found_and_named()
    {
        string path = Save(1);
        foreach (string file in Directory.GetFiles(path))
        {
            byte[] bytes = File.ReadAllBytes(file);
            foreach (int length in (int[])[0, 1, bytes.Length / 2, bytes.Length - 2])
            {
                File.WriteAllBytes(file, bytes[..length]);
                Assert.Contains(Path.GetFileName(file), Assert.Throws<InvalidDataException>(() => CheckpointStore.Open(path)).Message, StringComparison.Ordinal);
            }

            File.Delete(file);
            Assert.Contains(Path.GetFileName(file), Assert.Throws<InvalidDataException>(() => CheckpointStore.Open(path)).Message, StringComparison.Ordinal);
            File.WriteAllBytes(file, bytes);
        }
    }

    [Fact]
    public void The_latest_skips_a_damaged_checkpoint_and_says_so()
    {
        Save(1);
        string damaged = Save(2);
        Damage(damaged);
        using CheckpointReader reader = Store().OpenLatest()!;
        Assert.Equal(1, reader.Step);
        string warning = Assert.Single(warnings);
        Assert.Contains(Path.Combine(damaged, "floats.bin"), warning, StringComparison.Ordinal);
        Assert.Contains($"Going back to {folder["checkpoint-1"]}", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void When_all_checkpoints_are_damaged_the_run_does_not_silently_begin_anew()
    {
        Damage(Save(1));
        Damage(Save(2));
        string message = Assert.Throws<InvalidDataException>(() => Store().OpenLatest()).Message;
        Assert.Contains("checkpoint-1", message, StringComparison.Ordinal);
        Assert.Contains("--overwrite-output-dir", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kill_at_any_point_of_a_save_leaves_the_checkpoint_before()
    {
        Save(1);
        string second = Save(2);
        string temporary = folder[".writing-checkpoint-2"];
        Directory.Move(second, temporary);
        foreach (string file in (string[])["manifest.json", "checkpoint.json", "state.json", "floats.bin", ""])
        {
            using (CheckpointReader reader = OpenWithout(temporary, file))
            {
                Assert.Equal(1, reader.Step);
            }

            Assert.Empty(Directory.GetDirectories(folder.Path, ".*"));
            second = Save(2);
            Directory.Move(second, temporary);
        }

        Assert.Empty(warnings);

        CheckpointReader OpenWithout(string path, string file)
        {
            if (file.Length > 0)
            {
                File.Delete(Path.Combine(path, file));
            }

            return Store().OpenLatest()!;
        }
    }

    [Fact]
    public void A_kill_while_a_checkpoint_is_replaced_gives_the_old_one_back()
    {
        string path = Save(5);
        Directory.Move(path, folder[".replaced-checkpoint-5"]);
        using CheckpointReader reader = Store().OpenLatest()!;
        Assert.Equal(5, reader.Step);
        Assert.Equal([5L], Store().Steps());
    }

    [Fact]
    public void A_kill_while_a_checkpoint_is_removed_leaves_no_half_checkpoint()
    {
        Save(1);
        string path = Save(2);
        Directory.Move(path, folder[".removing-checkpoint-2"]);
        File.Delete(Path.Combine(folder[".removing-checkpoint-2"], "floats.bin"));
        using CheckpointReader reader = Store().OpenLatest()!;
        Assert.Equal(1, reader.Step);
        Assert.Empty(warnings);
        Assert.Empty(Directory.GetDirectories(folder.Path, ".*"));
    }

    [Fact]
    public void Saving_a_step_again_replaces_its_checkpoint()
    {
        Damage(Save(3));
        Save(3);
        using CheckpointReader reader = Store().OpenLatest()!;
        Assert.Equal(3, reader.Step);
        Assert.Equal(["checkpoint-3"], Directory.GetDirectories(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void A_full_disk_is_an_error_that_names_the_path_and_leaves_the_last_checkpoint()
    {
        Save(1);
        IOException error = Assert.Throws<IOException>(() => Store().Save(2, writer =>
        {
            writer.WriteFloats("weights", new float[1000]);
            throw new IOException("No space left on device");
        }));
        Assert.Contains(folder["checkpoint-2"], error.Message, StringComparison.Ordinal);
        Assert.Contains("No space left on device", error.Message, StringComparison.Ordinal);
        Assert.Contains($"The last checkpoint, {folder["checkpoint-1"]}, is untouched", error.Message, StringComparison.Ordinal);
        Assert.Equal(["checkpoint-1"], Directory.GetDirectories(folder.Path).Select(Path.GetFileName));
        using CheckpointReader reader = Store().OpenLatest()!;
        Assert.Equal(1, reader.Step);
    }

    [Fact]
    public void A_fault_of_the_caller_leaves_no_half_checkpoint_and_comes_through()
    {
        Assert.Throws<ArgumentException>(() => Store().Save(1, writer =>
        {
            writer.WriteFloats("same", [1]);
            writer.WriteFloats("same", [2]);
        }));
        Assert.Empty(Directory.GetDirectories(folder.Path));
    }

    [Fact]
    public void The_last_and_the_best_are_kept()
    {
        CheckpointStore store = Store(limit: 2);
        double[] scores = [0.5, 0.9, 0.7, 0.9, double.NaN, 0.6];
        long[][] left = [[1], [1, 2], [2, 3], [2, 3, 4], [2, 4, 5], [2, 5, 6]];
        for (int i = 0; i < scores.Length; i++)
        {
            store.Save(i + 1, Write, scores[i]);
            Assert.Equal(left[i], store.Steps());
        }

        Assert.Equal(folder["checkpoint-2"], store.Best());
    }

    [Fact]
    public void A_save_removes_the_future_that_the_run_left_by_going_back()
    {
        Save(10);
        Save(20);
        Save(30);
        Store(limit: 2).Save(15, Write);
        Assert.Equal([10L, 15L], Store().Steps());
    }

    [Fact]
    public void Other_folders_are_left_alone()
    {
        Directory.CreateDirectory(folder["checkpoint-best"]);
        Directory.CreateDirectory(folder["checkpoint-007"]);
        Directory.CreateDirectory(folder["logs"]);
        Save(1);
        Assert.Equal([1L], Store().Steps());
        Assert.Equal(4, Directory.GetDirectories(folder.Path).Length);
    }

    [Theory]
    [InlineData("../escape")]
    [InlineData("manifest.json")]
    [InlineData("floats.bin")]
    [InlineData(".hidden")]
    [InlineData("a b")]
    public void A_file_name_that_would_not_stay_in_its_place_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => Store().Save(1, writer => writer.WriteFile(name, _ => { })));

    [Fact]
    public void A_checkpoint_of_another_format_is_refused_by_its_number()
    {
        string manifest = Path.Combine(Save(1), "manifest.json");
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("\"format\": 1", "\"format\": 2", StringComparison.Ordinal));
        Assert.Contains("format is 2", Assert.Throws<InvalidDataException>(() => CheckpointStore.Open(folder["checkpoint-1"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_lock_is_held_by_one_and_free_again_afterwards()
    {
        using (FileLock held = FileLock.TryTake(folder["run.lock"])!)
        {
            Assert.Null(FileLock.TryTake(folder["run.lock"]));
        }

        using FileLock? again = FileLock.TryTake(folder["run.lock"]);
        Assert.NotNull(again);
    }

    private CheckpointStore Store(int? limit = null) => new(folder.Path, limit, warnings.Add);

    private string Save(long step) => Store().Save(step, Write);

    private static void Write(CheckpointWriter writer)
    {
        writer.WriteFloats("weights", [.. Enumerable.Range(0, 100).Select(i => (float)i)]);
        writer.WriteFloats("bias", [1, 2, 3]);
        writer.WriteJson("state", json => json.WriteNumber("position", 3));
    }

    private static void Damage(string path)
    {
        string file = Path.Combine(path, "floats.bin");
        byte[] bytes = File.ReadAllBytes(file);
        bytes[33] ^= 4;
        File.WriteAllBytes(file, bytes);
    }

    /// <summary>A flip in the manifest's white space, for one, is still the same checkpoint.</summary>
    private static void AssertDamagedOrSame(string path)
    {
        try
        {
            using CheckpointReader reader = CheckpointStore.Open(path);
            float[] weights = new float[100];
            reader.ReadFloats("weights", weights);
            Assert.Equal(Enumerable.Range(0, 100).Select(i => (float)i), weights);
            Assert.Equal(1, reader.Step);
            using JsonDocument state = reader.ReadJson("state");
            Assert.Equal(3, state.RootElement.GetProperty("position").GetInt32());
        }
        catch (InvalidDataException)
        {
        }
    }
}
