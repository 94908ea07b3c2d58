using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Limbeck.Tests.Checkpoints;

/// <summary>Makes pickles and the two containers of torch.save by hand, right or wrong as a test needs them.</summary>
internal sealed class PickleBuilder
{
    private readonly List<byte> _bytes = [0x80, 2];

    public byte[] Bytes => [.. _bytes, (byte)'.'];

    public PickleBuilder Raw(string opcodes) => Raw(Encoding.Latin1.GetBytes(opcodes));

    public PickleBuilder Raw(params byte[] opcodes)
    {
        _bytes.AddRange(opcodes);
        return this;
    }

    public PickleBuilder Text(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        byte[] length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, utf8.Length);
        return Raw("X").Raw(length).Raw(utf8);
    }

    public PickleBuilder Number(long number)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return Raw(0x8A, 8).Raw(bytes);
    }

    public PickleBuilder Tuple(params long[] numbers)
    {
        Raw("(");
        foreach (long number in numbers)
        {
            Number(number);
        }
        return Raw("t");
    }

    public PickleBuilder Global(string module, string name) => Raw($"c{module}\n{name}\n");

    public PickleBuilder Storage(string type, string key, long count, Action<PickleBuilder>? more = null)
    {
        Raw("(").Text("storage").Global("torch", type).Text(key).Text("cpu").Number(count);
        more?.Invoke(this);
        return Raw("tQ");
    }

    /// <summary>A tensor over a storage, as torch.save writes it.</summary>
    public PickleBuilder Tensor(string type, string key, long count, long offset, long[] shape, long[] strides, Action<PickleBuilder>? more = null)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Raw("(").Storage(type, key, count, more).Number(offset).Tuple(shape).Tuple(strides);
        return Raw(0x89).Global("collections", "OrderedDict").Raw(")RtR");
    }

    /// <summary>A dictionary of one entry.</summary>
    public static PickleBuilder Dictionary(string name, Action<PickleBuilder> value)
    {
        var builder = new PickleBuilder();
        builder.Raw("}(").Text(name);
        value(builder);
        return builder.Raw("u");
    }

    /// <summary>The zip container.</summary>
    public byte[] Zip(params (string Name, byte[] Content)[] files) => ZipOf([("archive/data.pkl", Bytes), .. files.Select(file => ("archive/" + file.Name, file.Content))]);

    public static byte[] ZipOf((string Name, byte[] Content)[] files, CompressionLevel level = CompressionLevel.NoCompression)
    {
        using var memory = new MemoryStream();
        using (var archive = new ZipArchive(memory, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in files)
            {
                using Stream stream = archive.CreateEntry(name, level).Open();
                stream.Write(content);
            }
        }
        return memory.ToArray();
    }

    /// <summary>The older stream: magic number, protocol, system, this pickle, the storages' keys, their elements.</summary>
    public byte[] Stream(params (string Key, long Count, byte[] Content)[] storages)
    {
        var file = new List<byte>();
        file.AddRange(new PickleBuilder().Raw(0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19).Bytes);
        file.AddRange(new PickleBuilder().Raw([(byte)'M', 0xE9, 0x03]).Bytes);
        file.AddRange(Dictionary("little_endian", system => system.Raw(0x88)).Bytes);
        file.AddRange(Bytes);
        var keys = new PickleBuilder().Raw("](");
        foreach (var (key, _, _) in storages)
        {
            keys.Text(key);
        }
        file.AddRange(keys.Raw("e").Bytes);
        foreach (var (_, count, content) in storages)
        {
            byte[] length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, count);
            file.AddRange(length);
            file.AddRange(content);
        }
        return [.. file];
    }
}
