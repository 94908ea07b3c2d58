using System.Text;
using Limbeck.Checkpoints;

namespace Limbeck.Tests.Checkpoints;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static SafetensorsTensor Floats(string name, params float[] values) => SafetensorsTensor.OfFloats(name, [values.Length], () => values);

    [Fact]
    public void Tensors_lie_by_type_from_the_widest_and_then_by_the_bytes_of_their_names()
    {
        string path = _folder["model.safetensors"];
        SafetensorsWriter.Write(path,
        [
            SafetensorsTensor.OfBytes("z", TensorType.U8, [1], () => [7]),
            Floats("b", 2), Floats("B", 1), Floats("é", 4), Floats("b.a", 3),
            SafetensorsTensor.OfFloats("half", [1], () => [1f], TensorType.F16),
            SafetensorsTensor.OfBytes("ids", TensorType.I64, [1], () => new byte[8]),
        ]);
        byte[] file = File.ReadAllBytes(path);
        int length = BitConverter.ToInt32(file);
        Assert.Equal(0, length % 8);
        Assert.Equal(
            """{"__metadata__":{"format":"pt"},"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"B":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},"b.a":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},"é":{"dtype":"F32","shape":[1],"data_offsets":[20,24]},"half":{"dtype":"F16","shape":[1],"data_offsets":[24,26]},"z":{"dtype":"U8","shape":[1],"data_offsets":[26,27]}}""",
            Encoding.UTF8.GetString(file, 8, length).TrimEnd(' '));
        using SafetensorsFile opened = SafetensorsFile.Open(path);
        Assert.Equal(7, opened.Entries.Count);
    }

    [Fact]
    public void Odd_names_scalars_and_empty_tensors_survive()
    {
        string path = _folder["model.safetensors"];
        string[] names = ["", "a\"b\\c", "line\nbreak", "𝔊", "<&>'+"];
        SafetensorsWriter.Write(path, [.. names.Select(name => SafetensorsTensor.OfFloats(name, [], () => new float[] { name.Length })), SafetensorsTensor.OfFloats("empty", [4, 0], () => [])], new Dictionary<string, string>());
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Empty(file.Metadata);
        float[] value = new float[1];
        foreach (string name in names)
        {
            file.Read(name, value);
            Assert.Equal(name.Length, value[0]);
        }
        Assert.Equal([4L, 0L], file.Entries["empty"].Shape);
    }

    [Fact]
    public void A_long_tensor_is_narrowed_in_parts_without_a_seam()
    {
        string path = _folder["model.safetensors"];
        float[] values = [.. Enumerable.Range(0, 200_001).Select(i => (i % 2048) - 1000f)];
        SafetensorsWriter.Write(path, [SafetensorsTensor.OfFloats("a", [values.Length], () => values, TensorType.F16)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        var read = new float[values.Length];
        file.Read("a", read);
        Assert.Equal(values, read);
    }

    [Fact]
    public void A_faulty_tensor_is_refused_and_the_old_file_stays()
    {
        string path = _folder.Add("model.safetensors", "old");
        Refused("'a' is to be written twice", Floats("a", 1), Floats("a", 2));
        Refused("__metadata__", Floats("__metadata__", 1));
        Refused("'a' was given 2 numbers; F32 [3] needs 3", SafetensorsTensor.OfFloats("a", [3], () => new float[2]));
        Refused("'a' was given 2 bytes; I64 [1] needs 8", SafetensorsTensor.OfBytes("a", TensorType.I64, [1], () => new byte[2]));
        Refused("'a': the size of F32 [-1]", SafetensorsTensor.OfFloats("a", [-1], () => []));
        Refused("'a' has 70000 at element 1; F16 ends at 65504", SafetensorsTensor.OfFloats("a", [2], () => [1f, 70000f], TensorType.F16));
        Assert.Throws<ArgumentException>(() => SafetensorsTensor.OfFloats("a", [1], () => [1f], TensorType.BF16));

        void Refused(string part, params SafetensorsTensor[] tensors)
        {
            var error = Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(path, tensors));
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
            Assert.Equal("old", File.ReadAllText(path));
            Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
        }
    }

    [Fact]
    public void Writing_holds_no_copy_of_the_model()
    {
        float[] block = new float[1 << 20];
        var tensors = Enumerable.Range(0, 16).Select(i => SafetensorsTensor.OfFloats($"t{i}", [block.Length], () => block, i % 2 == 0 ? TensorType.F32 : TensorType.F16)).ToArray();
        SafetensorsWriter.Write(_folder["model.safetensors"], tensors);
        long before = GC.GetAllocatedBytesForCurrentThread();
        SafetensorsWriter.Write(_folder["model.safetensors"], tensors);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20); // The model has 48 MB.
    }
}
