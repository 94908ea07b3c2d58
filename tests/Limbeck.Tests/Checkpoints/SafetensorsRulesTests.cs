using System.Buffers.Binary;
using System.Text;
using Limbeck.Checkpoints;

namespace Limbeck.Tests.Checkpoints;

/// <summary>One rule of the safetensors format, one error, one test.</summary>
public sealed class SafetensorsRulesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string File(string header, int dataBytes) => File(Encoding.UTF8.GetBytes(header), dataBytes);

    private string File(byte[] header, int dataBytes, ulong? length = null)
    {
        byte[] file = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length ?? (ulong)header.Length);
        header.CopyTo(file, 8);
        for (int i = 8 + header.Length; i < file.Length; i++)
        {
            file[i] = (byte)(i - 8 - header.Length);
        }
        return _folder.Add("model.safetensors", file);
    }

    private static void Refused(string path, params string[] parts)
    {
        var error = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path).Dispose());
        Assert.StartsWith(path + ": ", error.Message, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_missing_file_is_refused() => Refused(_folder["none.safetensors"], "no such file");

    [Fact]
    public void A_directory_is_refused() => Refused(_folder.Path, "is a directory");

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public void A_file_shorter_than_the_header_length_is_refused(int bytes) => Refused(_folder.Add("model.safetensors", new byte[bytes]), $"has {bytes} bytes", "8 bytes");

    [Fact]
    public void A_header_length_beyond_the_file_is_refused() => Refused(File("{}"u8.ToArray(), 0, length: 3), "needs 3 bytes", "has 2");

    [Theory]
    [InlineData(100_000_001)]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    public void A_header_length_beyond_the_limit_is_refused(ulong length) => Refused(File("{}"u8.ToArray(), 0, length), $"{length} bytes", "at most 100000000");

    [Fact]
    public void A_header_of_no_bytes_is_refused() => Refused(File("", 0), "JSON object", "empty");

    [Theory]
    [InlineData(" {}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"a\"")]
    [InlineData("1")]
    public void A_header_that_does_not_start_with_a_brace_is_refused(string header) => Refused(File(header, 0), "starts with byte 0x");

    [Theory]
    [InlineData("{")]
    [InlineData("{\"a\":")]
    [InlineData("{}x")]
    [InlineData("{} {}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",}}")]
    [InlineData("{\"a\\ud800\":{}}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}")]
    public void A_header_that_is_not_json_is_refused(string header) => Refused(File(header, 4), "not valid JSON");

    [Fact]
    public void A_header_nested_without_end_is_refused() => Refused(File("{\"a\":" + new string('[', 100_000), 0), "not valid JSON");

    [Fact]
    public void A_header_that_is_not_utf8_is_refused_with_the_place() => Refused(File([(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)':', (byte)'1', (byte)'}'], 0), "not valid UTF-8 at byte 10");

    [Fact]
    public void A_tensor_that_is_not_an_object_is_refused() => Refused(File("""{"a":[1]}""", 0), "tensor 'a' is an array");

    [Theory]
    [InlineData("dtype", """{"a":{"shape":[1],"data_offsets":[0,4]}}""")]
    [InlineData("shape", """{"a":{"dtype":"F32","data_offsets":[0,4]}}""")]
    [InlineData("data_offsets", """{"a":{"dtype":"F32","shape":[1]}}""")]
    public void A_tensor_without_one_of_its_keys_is_refused(string key, string header) => Refused(File(header, 4), $"tensor 'a' has no {key}");

    [Fact]
    public void An_unknown_key_of_a_tensor_is_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":[1]}}""", 4), "tensor 'a'", "'stride'");

    [Theory]
    [InlineData("\"F31\"", "'F31'")]
    [InlineData("\"f32\"", "'f32'")]
    [InlineData("7", "the number 7")]
    [InlineData("null", "null")]
    public void An_unknown_dtype_is_refused(string dtype, string named) => Refused(File($$$"""{"a":{"dtype":{{{dtype}}},"shape":[1],"data_offsets":[0,4]}}""", 4), "tensor 'a'", $"dtype is {named}", "F32");

    [Theory]
    [InlineData("[-1]")]
    [InlineData("[1.5]")]
    [InlineData("[1e2]")]
    [InlineData("[\"1\"]")]
    [InlineData("[9223372036854775808]")]
    [InlineData("[[1]]")]
    [InlineData("[null]")]
    [InlineData("1")]
    [InlineData("{}")]
    public void A_shape_that_is_not_whole_numbers_is_refused(string shape) => Refused(File($$$"""{"a":{"dtype":"F32","shape":{{{shape}}},"data_offsets":[0,4]}}""", 4), "tensor 'a'", "shape", "whole numbers");

    [Theory]
    [InlineData("[4294967296,4294967296]")]
    [InlineData("[9223372036854775807]")]
    [InlineData("[3037000500,3037000500]")]
    [InlineData("[4611686018427387904,4]")]
    public void A_shape_whose_size_overflows_is_refused(string shape) => Refused(File($$$"""{"a":{"dtype":"F32","shape":{{{shape}}},"data_offsets":[0,4]}}""", 4), "tensor 'a'", "63 bits");

    [Fact]
    public void Sub_byte_elements_that_do_not_fill_bytes_are_refused() => Refused(File("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1), "tensor 'a'", "whole bytes");

    [Theory]
    [InlineData("[]", "0 numbers")]
    [InlineData("[0]", "1 numbers")]
    [InlineData("[0,4,8]", "3 numbers")]
    [InlineData("[0,-4]", "whole numbers")]
    [InlineData("[0,4.0]", "whole numbers")]
    [InlineData("\"0,4\"", "whole numbers")]
    public void Offsets_that_are_not_two_whole_numbers_are_refused(string offsets, string named) => Refused(File($$$"""{"a":{"dtype":"F32","shape":[1],"data_offsets":{{{offsets}}}}}""", 4), "tensor 'a'", "data_offsets", named);

    [Fact]
    public void Offsets_in_reverse_are_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4), "tensor 'a'", "end at 0", "begin at 4");

    [Fact]
    public void A_shape_that_needs_other_bytes_than_the_offsets_give_is_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4), "tensor 'a'", "F32 [2] needs 8 bytes", "give 4");

    [Theory]
    [InlineData("[4,8]")]
    [InlineData("[9223372036854775803,9223372036854775807]")]
    public void Offsets_beyond_the_file_are_refused(string offsets) => Refused(File($$$"""{"a":{"dtype":"F32","shape":[1],"data_offsets":{{{offsets}}}}}""", 4), "tensor 'a'", "the file has 4");

    [Fact]
    public void A_hole_before_the_first_tensor_is_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8), "bytes 0 to 4", "'a'", "no holes");

    [Fact]
    public void A_hole_between_tensors_is_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12), "bytes 4 to 8", "'a'", "'b'");

    [Fact]
    public void Overlapping_tensors_are_refused_naming_both() => Refused(File("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12), "'b' starts at byte 4", "inside tensor 'a'", "ends at 8");

    [Fact]
    public void Bytes_after_the_last_tensor_are_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5), "end at byte 4", "to 5");

    [Fact]
    public void A_tensor_twice_is_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4), "'a'", "twice");

    [Fact]
    public void A_tensor_twice_in_different_spelling_is_refused() => Refused(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4), "'a'", "twice");

    [Fact]
    public void A_key_of_a_tensor_twice_is_refused() => Refused(File("""{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4), "'a'", "'dtype'", "twice");

    [Fact]
    public void Metadata_twice_is_refused() => Refused(File("""{"__metadata__":{},"__metadata__":{}}""", 0), "__metadata__", "twice");

    [Fact]
    public void A_key_of_the_metadata_twice_is_refused() => Refused(File("""{"__metadata__":{"a":"1","a":"1"}}""", 0), "__metadata__", "'a'", "twice");

    [Theory]
    [InlineData("1", "the number 1")]
    [InlineData("null", "null")]
    [InlineData("{\"b\":{}}", "an object")]
    [InlineData("[\"b\"]", "an array")]
    public void Metadata_that_is_not_text_is_refused(string value, string named) => Refused(File($$$"""{"__metadata__":{"a":{{{value}}},"c":"d"}}""", 0), "'a'", named, "string");

    [Theory]
    [InlineData("[]")]
    [InlineData("\"pt\"")]
    [InlineData("null")]
    public void Metadata_that_is_not_an_object_is_refused(string value) => Refused(File($$$"""{"__metadata__":{{{value}}}}""", 0), "__metadata__", "object of strings");

    [Fact]
    public void All_faults_are_told_at_once() => Refused(File("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]},"c":1}""", 4), "3 faults", "'a'", "'b'", "'c'");

    [Fact]
    public void A_file_without_tensors_is_legal()
    {
        using SafetensorsFile file = SafetensorsFile.Open(File("{}", 0));
        Assert.Empty(file.Entries);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void A_header_padded_with_spaces_is_legal()
    {
        using SafetensorsFile file = SafetensorsFile.Open(File("""{"__metadata__":{"format":"pt"}}      """, 0));
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Fact]
    public void Scalars_empty_and_misaligned_tensors_are_legal()
    {
        const string Header = """
            {"byte":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
             "scalar":{"dtype":"F32","shape":[],"data_offsets":[1,5]},
             "empty":{"dtype":"F32","shape":[3,0],"data_offsets":[5,5]},
             "empty too":{"dtype":"F16","shape":[0],"data_offsets":[5,5]},
             "":{"dtype":"F64","shape":[1],"data_offsets":[5,13]}}
            """;
        using SafetensorsFile file = SafetensorsFile.Open(File(Header, 13));
        Assert.Empty(file.Entries["scalar"].Shape);
        float[] one = new float[1];
        file.Read("scalar", one);
        Assert.Equal(BitConverter.ToSingle([1, 2, 3, 4]), one[0]);
        file.Read("empty", []);
        Assert.Equal(0, file.Bytes("empty too").Length);
        file.Read("", one);
        Assert.Equal((float)BitConverter.ToDouble([5, 6, 7, 8, 9, 10, 11, 12]), one[0]);
        Assert.Equal([(byte)0], file.Bytes("byte").ToArray());
    }

    [Theory]
    [InlineData("BOOL", 1, TensorType.Bool)]
    [InlineData("U8", 1, TensorType.U8)]
    [InlineData("I8", 1, TensorType.I8)]
    [InlineData("F8_E4M3", 1, TensorType.F8E4M3)]
    [InlineData("F8_E5M2", 1, TensorType.F8E5M2)]
    [InlineData("F8_E8M0", 1, TensorType.F8E8M0)]
    [InlineData("I16", 2, TensorType.I16)]
    [InlineData("U16", 2, TensorType.U16)]
    [InlineData("F16", 2, TensorType.F16)]
    [InlineData("BF16", 2, TensorType.BF16)]
    [InlineData("I32", 4, TensorType.I32)]
    [InlineData("U32", 4, TensorType.U32)]
    [InlineData("F32", 4, TensorType.F32)]
    [InlineData("F64", 8, TensorType.F64)]
    [InlineData("C64", 8, TensorType.C64)]
    [InlineData("I64", 8, TensorType.I64)]
    [InlineData("U64", 8, TensorType.U64)]
    public void Every_dtype_has_its_width(string dtype, int width, TensorType type)
    {
        using SafetensorsFile file = SafetensorsFile.Open(File($$$"""{"a":{"dtype":"{{{dtype}}}","shape":[3],"data_offsets":[0,{{{3 * width}}}]}}""", 3 * width));
        Assert.Equal(type, file.Entries["a"].Type);
        Assert.Equal(3 * width, file.Bytes("a").Length);
        if (type is TensorType.F16 or TensorType.BF16 or TensorType.F32 or TensorType.F64)
        {
            file.Read("a", new float[3]);
            return;
        }
        var error = Assert.Throws<CheckpointException>(() => file.Read("a", new float[3]));
        Assert.Contains($"tensor 'a' is {dtype}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_destination_of_another_size_is_refused_with_both_sizes()
    {
        using SafetensorsFile file = SafetensorsFile.Open(File("""{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}""", 8));
        var error = Assert.Throws<CheckpointException>(() => file.Read("a", new float[3]));
        Assert.Contains("tensor 'a' is [1, 2], 2 numbers; 3 are needed", error.Message, StringComparison.Ordinal);
        Assert.Contains("no tensor 'b'", Assert.Throws<CheckpointException>(() => file.Read("b", new float[3])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_file_says_so()
    {
        SafetensorsFile file = SafetensorsFile.Open(File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read("a", new float[1]));
    }

    [Fact]
    public void Truncation_anywhere_is_refused_and_never_crashes()
    {
        string whole = File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2,1],"data_offsets":[4,8]}}""", 8);
        byte[] bytes = System.IO.File.ReadAllBytes(whole);
        for (int length = 0; length < bytes.Length; length++)
        {
            Refused(_folder.Add("cut.safetensors", bytes.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Random_damage_to_a_header_is_refused_or_harmless()
    {
        const int Seed = 20240607;
        Console.WriteLine($"seed {Seed}");
        var random = new Random(Seed);
        string whole = File("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2,1],"data_offsets":[4,8]}}""", 8);
        byte[] bytes = System.IO.File.ReadAllBytes(whole);
        for (int round = 0; round < 500; round++)
        {
            byte[] damaged = [.. bytes];
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            string path = _folder.Add("damaged.safetensors", damaged);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
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
