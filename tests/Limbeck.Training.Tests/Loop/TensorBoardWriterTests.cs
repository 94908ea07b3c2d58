using System.Buffers.Binary;
using System.Text;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Loop;

public class TensorBoardWriterTests
{
    [Fact]
    public void Crc_32c_meets_the_known_vectors()
    {
        // RFC 3720, appendix B.4, and the usual check value of the nine digits.
        byte[] rising = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        Assert.Equal(0xE3069283u, TensorBoardWriter.Crc32C("123456789"u8));
        Assert.Equal(0x8A9136AAu, TensorBoardWriter.Crc32C(new byte[32]));
        Assert.Equal(0x62A8AB43u, TensorBoardWriter.Crc32C(Enumerable.Repeat((byte)0xff, 32).ToArray()));
        Assert.Equal(0x46DD794Eu, TensorBoardWriter.Crc32C(rising));
        Assert.Equal(0x113FDB5Cu, TensorBoardWriter.Crc32C(rising.Reverse().ToArray()));
        Assert.Equal(0u, TensorBoardWriter.Crc32C([]));
    }

    [Fact]
    public void Events_read_back_as_they_were_written()
    {
        using TemporaryFolder folder = new();
        ManualTime time = new();
        using (TensorBoardWriter writer = TensorBoardWriter.Create(folder.Path, time))
        {
            writer.Write(1, ("train/loss", 0.75));
            time.Advance(1.5);
            writer.Write(300_000_000_000, ("train/loss", double.NaN), ("eval/größe", -2.5));
        }

        double start = new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.Zero).ToUnixTimeSeconds();
        List<Event> events = Read(Assert.Single(Directory.GetFiles(folder.Path)));
        Assert.Equal(3, events.Count);
        Assert.Equal(("brain.Event:2", start, 0L), (events[0].Version, events[0].WallTime, events[0].Step));
        Assert.Equal(("train/loss", 0.75f), Assert.Single(events[1].Values));
        Assert.Equal((start, 1L), (events[1].WallTime, events[1].Step));
        Assert.Equal((start + 1.5, 300_000_000_000L), (events[2].WallTime, events[2].Step));
        Assert.Equal([("train/loss", float.NaN), ("eval/größe", -2.5f)], events[2].Values);
    }

    [Fact]
    public void A_killed_and_resumed_file_equals_an_unbroken_one_wherever_it_was_torn()
    {
        using TemporaryFolder folder = new();
        using (TensorBoardWriter unbroken = TensorBoardWriter.Create(folder["unbroken"], new ManualTime()))
        {
            WriteSteps(unbroken, 1, 6);
        }

        byte[] whole = File.ReadAllBytes(Assert.Single(Directory.GetFiles(folder["unbroken"])));
        Directory.CreateDirectory(folder["torn"]);
        string name = Path.GetFileName(Directory.GetFiles(folder["unbroken"])[0]);
        for (int length = 0; length <= whole.Length; length++)
        {
            File.WriteAllBytes(Path.Combine(folder["torn"], name), whole[..length]);
            int last;
            using (TensorBoardWriter resumed = TensorBoardWriter.Resume(folder["torn"], 3, new ManualTime()))
            {
            }

            last = (int)Read(Path.Combine(folder["torn"], name))[^1].Step;
            Assert.True(last <= 3);
            using (TensorBoardWriter resumed = TensorBoardWriter.Resume(folder["torn"], 3, new ManualTime()))
            {
                WriteSteps(resumed, last + 1, 6);
            }

            Assert.Equal(whole, File.ReadAllBytes(Assert.Single(Directory.GetFiles(folder["torn"]))));
        }
    }

    [Fact]
    public void Resuming_without_a_file_starts_one()
    {
        using TemporaryFolder folder = new();
        TensorBoardWriter.Resume(folder["new"], 10).Dispose();
        Assert.Equal("brain.Event:2", Assert.Single(Read(Assert.Single(Directory.GetFiles(folder["new"])))).Version);
    }

    private sealed record Event(double WallTime, long Step, string? Version, List<(string Tag, float Value)> Values);

    private static void WriteSteps(TensorBoardWriter writer, int first, int last)
    {
        for (int step = first; step <= last; step++)
        {
            writer.Write(step, ("loss", 1.0 / step), ("rate", step));
        }
    }

    /// <summary>An own reader of the format, bit by bit: a CRC without instructions, a protobuf walk.</summary>
    private static List<Event> Read(string path)
    {
        ReadOnlySpan<byte> bytes = File.ReadAllBytes(path);
        List<Event> events = [];
        while (bytes.Length > 0)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            Assert.Equal(MaskedCrc(bytes[..8]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]));
            Assert.Equal(MaskedCrc(bytes.Slice(12, length)), BinaryPrimitives.ReadUInt32LittleEndian(bytes[(12 + length)..]));
            events.Add(Decode(bytes.Slice(12, length)));
            bytes = bytes[(16 + length)..];
        }

        return events;
    }

    private static uint MaskedCrc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) == 0 ? 0 : 0x82F63B78u);
            }
        }

        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
    }

    private static Event Decode(ReadOnlySpan<byte> data)
    {
        double wall = 0;
        long step = 0;
        string? version = null;
        List<(string, float)> values = [];
        foreach ((int field, ulong number, byte[] content) in Fields(data))
        {
            switch (field)
            {
                case 1: wall = BitConverter.UInt64BitsToDouble(number); break;
                case 2: step = (long)number; break;
                case 3: version = Encoding.UTF8.GetString(content); break;
                case 5:
                    foreach ((int one, _, byte[] value) in Fields(content))
                    {
                        Assert.Equal(1, one);
                        string tag = "";
                        float simple = 0;
                        foreach ((int inner, ulong bits, byte[] text) in Fields(value))
                        {
                            _ = inner == 1 ? (tag = Encoding.UTF8.GetString(text)) : "";
                            simple = inner == 2 ? BitConverter.UInt32BitsToSingle((uint)bits) : simple;
                        }

                        values.Add((tag, simple));
                    }

                    break;
                default: Assert.Fail($"field {field}"); break;
            }
        }

        return new Event(wall, step, version, values);
    }

    private static List<(int Field, ulong Number, byte[] Content)> Fields(ReadOnlySpan<byte> data)
    {
        List<(int, ulong, byte[])> fields = [];
        while (data.Length > 0)
        {
            ulong key = Varint(ref data);
            ulong number = 0;
            byte[] content = [];
            switch (key & 7)
            {
                case 0: number = Varint(ref data); break;
                case 1: number = BinaryPrimitives.ReadUInt64LittleEndian(data); data = data[8..]; break;
                case 5: number = BinaryPrimitives.ReadUInt32LittleEndian(data); data = data[4..]; break;
                case 2:
                    int length = (int)Varint(ref data);
                    content = data[..length].ToArray();
                    data = data[length..];
                    break;
                default: Assert.Fail($"wire type {key & 7}"); break;
            }

            fields.Add(((int)(key >> 3), number, content));
        }

        return fields;
    }

    private static ulong Varint(ref ReadOnlySpan<byte> data)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = data[0];
            data = data[1..];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
