using System.IO.Compression;
using System.Runtime.InteropServices;
using Limbeck.Checkpoints;

namespace Limbeck.Tests.Checkpoints;

/// <summary>Files of torch.save made by hand: every kind of tensor that is read, and everything else refused.</summary>
public sealed class PytorchFileTests : IDisposable
{
    private static readonly float[] Six = [1, 2, 3, 4, 5, 6];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Raw<T>(params T[] values)
        where T : unmanaged => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private string File(byte[] content) => _folder.Add("pytorch_model.bin", content);

    private void Refused(byte[] content, params string[] parts)
    {
        string path = File(content);
        var error = Assert.Throws<CheckpointException>(() => PytorchFile.Open(path).Dispose());
        Assert.StartsWith(path + ": ", error.Message, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.False(Directory.Exists("limbeck-was-here"));
    }

    private float[] Values(byte[] content, string name = "a")
    {
        using PytorchFile file = PytorchFile.Open(File(content));
        var values = new float[file.Entries[name].Count];
        file.Read(name, values);
        Assert.Equal(values.Length * (file.Entries[name].Type is TensorType.F16 or TensorType.BF16 ? 2 : file.Entries[name].Type == TensorType.F64 ? 8 : 4), file.Bytes(name).Length);
        return values;
    }

    private static PickleBuilder OneTensor(long offset, long[] shape, long[] strides, string type = "FloatStorage", long count = 6) => PickleBuilder.Dictionary("a", value => value.Tensor(type, "0", count, offset, shape, strides));

    [Theory]
    [InlineData(0, new long[] { 2, 3 }, new long[] { 3, 1 }, new float[] { 1, 2, 3, 4, 5, 6 })]
    [InlineData(0, new long[] { 3, 2 }, new long[] { 1, 3 }, new float[] { 1, 4, 2, 5, 3, 6 })]
    [InlineData(2, new long[] { 3 }, new long[] { 1 }, new float[] { 3, 4, 5 })]
    [InlineData(1, new long[] { 3 }, new long[] { 2 }, new float[] { 2, 4, 6 })]
    [InlineData(5, new long[] { }, new long[] { }, new float[] { 6 })]
    [InlineData(0, new long[] { 0, 7 }, new long[] { 7, 1 }, new float[] { })]
    [InlineData(3, new long[] { 1, 1, 2 }, new long[] { 99, 5, 1 }, new float[] { 4, 5 })]
    [InlineData(0, new long[] { 2, 1, 3 }, new long[] { 1, 9, 2 }, new float[] { 1, 3, 5, 2, 4, 6 })]
    [InlineData(4, new long[] { 3 }, new long[] { 0 }, new float[] { 5, 5, 5 })]
    public void Views_are_read_row_major_whatever_their_strides(long offset, long[] shape, long[] strides, float[] needed)
    {
        Assert.Equal(needed, Values(OneTensor(offset, shape, strides).Zip(("data/0", Raw(Six)))));
        Assert.Equal(needed, Values(OneTensor(offset, shape, strides).Stream(("0", 6, Raw(Six)))));
    }

    [Fact]
    public void Every_kind_of_float_is_widened()
    {
        long[] shape = [2], strides = [1];
        Assert.Equal([1.5f, -2], Values(OneTensor(0, shape, strides, "HalfStorage", 2).Zip(("data/0", Raw((Half)1.5f, (Half)(-2f))))));
        Assert.Equal([1.5f, -2], Values(OneTensor(0, shape, strides, "BFloat16Storage", 2).Zip(("data/0", Raw<ushort>(0x3FC0, 0xC000)))));
        Assert.Equal([1.5f, -2], Values(OneTensor(0, shape, strides, "DoubleStorage", 2).Zip(("data/0", Raw(1.5, -2.0)))));
    }

    [Theory]
    [InlineData("LongStorage", 8, TensorType.I64)]
    [InlineData("IntStorage", 4, TensorType.I32)]
    [InlineData("ShortStorage", 2, TensorType.I16)]
    [InlineData("CharStorage", 1, TensorType.I8)]
    [InlineData("ByteStorage", 1, TensorType.U8)]
    [InlineData("BoolStorage", 1, TensorType.Bool)]
    public void Other_kinds_are_had_as_bytes(string storage, int width, TensorType type)
    {
        byte[] content = [.. Enumerable.Range(0, 2 * width).Select(i => (byte)i)];
        using PytorchFile file = PytorchFile.Open(File(OneTensor(0, [2], [1], storage, 2).Zip(("data/0", content))));
        Assert.Equal(type, file.Entries["a"].Type);
        Assert.Equal(content, file.Bytes("a").ToArray());
        Assert.Contains("tensor 'a' is", Assert.Throws<CheckpointException>(() => file.Read("a", new float[2])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parameters_ordered_dictionaries_and_their_versions_are_read()
    {
        var builder = new PickleBuilder().Global("collections", "OrderedDict").Raw(")R(").Text("a")
            .Global("torch._utils", "_rebuild_parameter").Raw("(").Tensor("FloatStorage", "0", 6, 0, [6], [1]).Raw(0x88).Global("collections", "OrderedDict").Raw(")RtR").Raw("u");
        builder.Raw("}").Text("_metadata").Global("collections", "OrderedDict").Raw(")Rsb");
        Assert.Equal(Six, Values(builder.Zip(("data/0", Raw(Six)), ("byteorder", "little"u8.ToArray()))));
    }

    [Fact]
    public void The_memo_and_the_newer_protocols_are_read()
    {
        // One tensor under two names through the memo, with protocol 4's frame, short text, MEMOIZE and STACK_GLOBAL.
        var builder = new PickleBuilder().Raw(0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0).Raw("}").Raw(0x94).Raw("(").Raw(0x8C, 1, (byte)'a').Raw(0x94);
        builder.Raw(0x8C, 12).Raw("torch._utils").Raw(0x8C, 18).Raw("_rebuild_tensor_v2").Raw(0x93, 0x94).Raw("(").Storage("FloatStorage", "0", 6).Number(0).Tuple(6).Tuple(1).Raw(0x89).Global("collections", "OrderedDict").Raw(")RtR").Raw(0x94);
        builder.Raw(0x8C, 1, (byte)'b').Raw((byte)'h', 3).Raw("u");
        Assert.Equal(Six, Values(builder.Zip(("data/0", Raw(Six))), "b"));
    }

    [Fact]
    public void Old_views_of_storages_start_where_they_say()
    {
        var builder = PickleBuilder.Dictionary("a", value => value.Tensor("FloatStorage", "0", 6, 1, [2], [1], storage => storage.Raw("(").Text("view").Number(2).Number(3).Raw("t")));
        Assert.Equal([4, 5], Values(builder.Stream(("0", 6, Raw(Six)))));
        var beyond = PickleBuilder.Dictionary("a", value => value.Tensor("FloatStorage", "0", 6, 0, [2], [1], storage => storage.Raw("(").Text("view").Number(4).Number(3).Raw("t")));
        Refused(beyond.Stream(("0", 6, Raw(Six))), "storage '0' with a view outside");
    }

    [Theory]
    [InlineData("posix", "mkdir")]
    [InlineData("os", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("__builtin__", "getattr")]
    [InlineData("subprocess", "Popen")]
    [InlineData("torch", "load")]
    [InlineData("torch._utils", "_rebuild_device_tensor_from_numpy")]
    [InlineData("torch.nn.modules.linear", "Linear")]
    [InlineData("numpy.core.multiarray", "_reconstruct")]
    [InlineData("collections", "defaultdict")]
    [InlineData("torch", "FloatStorage.__reduce__")]
    public void Any_other_global_is_refused_by_name_however_it_is_spelt(string module, string name)
    {
        string named = $"'{module}.{name}'";
        byte[][] spellings =
        [
            PickleBuilder.Dictionary("x", value => value.Global(module, name).Text("limbeck-was-here").Raw(0x85).Raw("R")).Bytes,
            PickleBuilder.Dictionary("x", value => value.Text(module).Text(name).Raw(0x93).Text("limbeck-was-here").Raw(0x85).Raw("R")).Bytes,
            System.Text.Encoding.Latin1.GetBytes($"(S'limbeck-was-here'\ni{module}\n{name}\n."),
            System.Text.Encoding.Latin1.GetBytes($"c{module}\n{name}\n(S'limbeck-was-here'\ntR."),
            new PickleBuilder().Raw("(").Global(module, name).Text("limbeck-was-here").Raw("o").Bytes,
            new PickleBuilder().Global(module, name).Text("limbeck-was-here").Raw(0x85, 0x81).Bytes,
        ];
        foreach (byte[] pickle in spellings)
        {
            Refused(PickleBuilder.ZipOf([("archive/data.pkl", pickle)]), named);
        }
        Refused(new PickleBuilder().Global(module, name).Stream(), named);
    }

    [Theory]
    [InlineData((byte)'o')]
    [InlineData((byte)'P')]
    [InlineData((byte)0x81)]
    [InlineData((byte)0x92)]
    [InlineData((byte)0x82)]
    [InlineData((byte)0x8F)]
    [InlineData((byte)0x96)]
    [InlineData((byte)0x97)]
    [InlineData((byte)0xFF)]
    public void Opcodes_that_tensors_do_not_need_are_refused(byte opcode) =>
        Refused(new PickleBuilder().Raw("(").Global("collections", "OrderedDict").Raw(")").Raw(opcode).Zip(), $"opcode 0x{opcode:X2}");

    [Fact]
    public void State_for_anything_but_a_dictionary_is_refused() => Refused(new PickleBuilder().Raw("]}b").Zip(), "opcode 0x62");

    [Theory]
    [InlineData("0")]
    [InlineData("t")]
    [InlineData("u")]
    [InlineData("R")]
    [InlineData("Q")]
    [InlineData("b")]
    [InlineData("q\u0001")]
    [InlineData("h\u0001")]
    [InlineData("NNR")]
    [InlineData("Na")]
    [InlineData("NNNs")]
    [InlineData("}(NNu")]
    [InlineData("}(Nu")]
    [InlineData("(0")]
    [InlineData("Inonsense\n")]
    [InlineData("\u0080\u0009")]
    [InlineData("ctorch\nSize\nN\u0085R")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\n)R")]
    public void A_pickle_that_makes_no_sense_is_refused(string opcodes) => Refused(new PickleBuilder().Raw(opcodes).Zip(), "the pickle has");

    [Theory]
    [InlineData("X\u00FF\u00FF\u00FF\u007F")]
    [InlineData("B\u00FF\u00FF\u00FF\u00FF")]
    [InlineData("\u008E\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF")]
    [InlineData("\u008D\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u00FF\u007F")]
    [InlineData("\u008A\u0010")]
    [InlineData("cposix")]
    [InlineData("K")]
    public void A_length_beyond_the_pickle_is_refused_without_allocating_it(string opcodes)
    {
        byte[] file = new PickleBuilder().Raw(opcodes).Zip();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(file, "cut off");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Containers_nested_without_end_are_refused_without_a_stack_overflow() => Refused(new PickleBuilder().Raw(new string(']', 200_000) + new string('a', 199_999)).Zip(), "holds a list");

    [Theory]
    [InlineData(0, new long[] { 7 }, new long[] { 1 }, "expanded")]
    [InlineData(0, new long[] { 1000000, 1000000 }, new long[] { 0, 0 }, "expanded")]
    [InlineData(1, new long[] { 6 }, new long[] { 1 }, "last element would be number 6")]
    [InlineData(-1, new long[] { 1 }, new long[] { 1 }, "impossible")]
    [InlineData(0, new long[] { -1 }, new long[] { 1 }, "impossible")]
    [InlineData(0, new long[] { 2 }, new long[] { -1 }, "impossible")]
    [InlineData(0, new long[] { 2 }, new long[] { 1, 1 }, "impossible")]
    [InlineData(0, new long[] { 4294967296, 4294967296 }, new long[] { 0, 0 }, "impossible")]
    [InlineData(0, new long[] { 2 }, new long[] { long.MaxValue }, "last element")]
    [InlineData(long.MaxValue, new long[] { 2 }, new long[] { 1 }, "last element")]
    public void A_tensor_that_leaves_its_storage_is_refused(long offset, long[] shape, long[] strides, string part) => Refused(OneTensor(offset, shape, strides).Zip(("data/0", Raw(Six))), part);

    [Fact]
    public void A_storage_that_is_missing_or_short_is_refused_with_its_tensor()
    {
        Refused(OneTensor(0, [6], [1]).Zip(), "tensor 'a'", "storage '0' is not in the file");
        Refused(OneTensor(0, [6], [1]).Zip(("data/0", new byte[23])), "tensor 'a'", "needs 6 elements of 4 bytes; it has 23 bytes");
        Refused(OneTensor(0, [1], [1], count: long.MaxValue).Zip(("data/0", new byte[24])), "tensor 'a'", "it has 24 bytes");
        Refused(OneTensor(0, [6], [1]).Stream(), "tensor 'a'", "storage '0' is not in the file");
        Refused(OneTensor(0, [6], [1]).Stream(("0", 6, new byte[23])), "storage '0'", "needs 6 elements");
        Refused(OneTensor(0, [6], [1]).Stream(("0", 5, new byte[20])), "tensor 'a'", "needs 6 elements");
        Refused(OneTensor(0, [6], [1]).Stream(("0", -1, [])), "storage '0'", "-1 elements");
        Refused(OneTensor(0, [6], [1]).Stream(("0", long.MaxValue, new byte[24])), "storage '0'");
        Refused(OneTensor(0, [6], [1]).Stream(("1", 6, new byte[24])), "storage '1' belongs to no tensor");
        Refused(OneTensor(0, [6], [1]).Stream(("0", 6, new byte[24]), ("0", 6, new byte[24])), "storage '0' is listed twice");
        Refused(OneTensor(0, [6], [1]).Stream(("0", 6, new byte[25])), "goes on to");
    }

    [Fact]
    public void What_is_not_a_dictionary_of_tensors_is_refused_with_what_it_holds()
    {
        Refused(new PickleBuilder().Raw("]").Zip(), "holds a list");
        Refused(new PickleBuilder().Raw("N").Zip(), "holds nothing");
        Refused(new PickleBuilder().Raw("}(").Text("epoch").Raw("K\u0003").Text("state_dict").Raw("}u").Zip(), "2 faults", "'epoch'", "'state_dict' is a dictionary");
    }

    [Fact]
    public void Other_containers_are_refused_by_name()
    {
        Refused([], "is empty");
        Refused("hello"u8.ToArray(), "68656C6C6F");
        Refused(PickleBuilder.ZipOf([("other/file", [1])]), "0 files NAME/data.pkl");
        Refused(PickleBuilder.ZipOf([("a/data.pkl", [1]), ("b/data.pkl", [1])]), "2 files NAME/data.pkl");
        Refused(PickleBuilder.ZipOf([("archive/data.pkl", new byte[1000])], CompressionLevel.Optimal), "'archive/data.pkl' in the archive is compressed");
        Refused(OneTensor(0, [6], [1]).Zip(("data/0", Raw(Six)), ("byteorder", "big"u8.ToArray())), "byte order is 'big'");
        Refused(OneTensor(0, [6], [1]).Zip(("data/0", Raw(Six)), ("constants.pkl", [])), "TorchScript");
        Refused(OneTensor(0, [6], [1]).Bytes, "magic number");
        byte[] tar = new byte[512];
        "ustar"u8.CopyTo(tar.AsSpan(257));
        Refused(tar, "tar archive");
    }

    [Fact]
    public void Truncation_anywhere_is_refused_and_never_crashes()
    {
        foreach (byte[] whole in (byte[][])[OneTensor(0, [6], [1]).Zip(("data/0", Raw(Six))), OneTensor(0, [6], [1]).Stream(("0", 6, Raw(Six)))])
        {
            for (int length = 0; length < whole.Length; length += 3)
            {
                Refused(whole[..length]);
            }
        }
    }

    [Fact]
    public void Random_damage_is_refused_or_harmless()
    {
        const int Seed = 20240608;
        Console.WriteLine($"seed {Seed}");
        var random = new Random(Seed);
        foreach (byte[] whole in (byte[][])[OneTensor(0, [3, 2], [1, 3]).Zip(("data/0", Raw(Six))), OneTensor(0, [3, 2], [1, 3]).Stream(("0", 6, Raw(Six)))])
        {
            for (int round = 0; round < 1000; round++)
            {
                byte[] damaged = [.. whole];
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
                string path = File(damaged);
                try
                {
                    using PytorchFile file = PytorchFile.Open(path);
                    foreach (string name in file.Entries.Keys)
                    {
                        file.Bytes(name);
                    }
                }
                catch (CheckpointException error)
                {
                    Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void Shards_of_this_format_are_read_through_their_index()
    {
        _folder.Add("pytorch_model-1.bin", OneTensor(0, [6], [1]).Zip(("data/0", Raw(Six))));
        _folder.Add("pytorch_model.bin.index.json", """{"weight_map":{"a":"pytorch_model-1.bin"}}""");
        using ITensorSource source = Checkpoint.Open(_folder.Path);
        float[] values = new float[6];
        source.Read("a", values);
        Assert.Equal(Six, values);
    }

    [Fact]
    public void A_zip_with_64_bit_sizes_is_read()
    {
        byte[] zip = OneTensor(0, [6], [1]).Zip(("data/0", Raw(Six)));
        Assert.Equal(Six, Values(Zip64(zip)));
    }

    /// <summary>The same archive with its directory's place told by the 64-bit records, as archives beyond 4 GB have it.</summary>
    private static byte[] Zip64(byte[] zip)
    {
        int end = zip.Length - 22;
        byte[] record = new byte[56];
        Raw(0x06064B50u).CopyTo(record, 0);
        Raw(44L).CopyTo(record, 4);
        Raw((long)BitConverter.ToUInt16(zip, end + 10)).CopyTo(record, 24);
        Raw((long)BitConverter.ToUInt16(zip, end + 10)).CopyTo(record, 32);
        Raw((long)BitConverter.ToUInt32(zip, end + 12)).CopyTo(record, 40);
        Raw((long)BitConverter.ToUInt32(zip, end + 16)).CopyTo(record, 48);
        byte[] locator = new byte[20];
        Raw(0x07064B50u).CopyTo(locator, 0);
        Raw((long)end).CopyTo(locator, 8);
        Raw(1).CopyTo(locator, 16);
        byte[] tail = zip[end..];
        tail.AsSpan(8, 12).Fill(0xFF);
        return [.. zip[..end], .. record, .. locator, .. tail];
    }
}
