using Limbeck.Tensors.Code;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Tests.Code;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>Operands brought into pairs of bfloat16: what this CPU does, and the generated code decoded and interpreted, against the definition of the rounding.</summary>
public sealed unsafe class Bf16PackingTests
{
    private const uint Untouched = 0xdeadbeef;

    private static readonly uint[] Special =
    [
        0, 0x80000000, 1, 0x007fffff, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fffffff, 0xffffffff, 0x7fc00000, 0x3f808000, 0x3f818000, 0x3f807fff,
    ];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_word_is_the_pair_that_the_definition_gives(bool transposed)
    {
        foreach (int vectors in (int[])[1, 2, 3])
        {
            int width = vectors * GemmTile.Lane;
            foreach (int columns in (int[])[1, GemmTile.Lane, width, width + 5, (2 * width) + GemmTile.Lane])
            {
                foreach (int k in (int[])[1, 2, 31, 32, 33, 48, 63, 64, 101])
                {
                    int stride = (transposed ? k : columns) + 3;
                    float[] source = Numbers((transposed ? columns : k) * stride, seed: (columns * 1000) + k);
                    int room = k + 7;
                    int panels = (columns + width - 1) / width;
                    uint[] packed = new uint[panels * width * Bf16Packing.Pairs(room)];
                    Array.Fill(packed, Untouched);
                    fixed (float* from = source)
                    fixed (uint* to = packed)
                    {
                        Bf16Packing.Pack(transposed, columns, width, k, from, stride, to, room);
                    }

                    float At(int column, int step) => column >= columns || step >= k ? 0 : transposed ? source[(column * stride) + step] : source[(step * stride) + column];
                    for (int i = 0; i < packed.Length; i++)
                    {
                        int panel = i / (width * Bf16Packing.Pairs(room));
                        int pair = i / width % Bf16Packing.Pairs(room);
                        int column = (panel * width) + (i % width);
                        uint expected = pair < Bf16Packing.Pairs(k) ? Pair(At(column, 2 * pair), At(column, (2 * pair) + 1)) : Untouched;
                        Assert.True(expected == packed[i], $"transposed {transposed}, width {width}, columns {columns}, k {k}: word {i} is {packed[i]:x8}, not {expected:x8}");
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_decoded_code_gives_the_same_words_under_both_conventions(int vectors)
    {
        const int Lane = Bf16PackingCode.Lane;
        const int Count = 2;
        foreach (CallConvention convention in Enum.GetValues<CallConvention>())
        {
            int steps = Count * Bf16PackingCode.Steps;
            float[] stored = Numbers(Lane * (steps + 1), seed: vectors);
            uint[] words = new uint[((steps / 2 * vectors) - vectors + 1) * Lane];
            Interpret(Bf16PackingCode.Columns(vectors, convention), convention, stored, steps + 1, words, 0, Count);
            for (int i = 0; i < words.Length; i++)
            {
                (int pair, int row) = (i / (vectors * Lane), i % (vectors * Lane));
                Assert.Equal(row < Lane ? Pair(stored[(row * (steps + 1)) + (2 * pair)], stored[(row * (steps + 1)) + (2 * pair) + 1]) : Untouched, words[i]);
            }

            int columns = Count * vectors * Lane;
            float[] rows = Numbers((2 * columns) + 5, seed: 10 + vectors);
            int panel = (vectors * Lane) + 3;
            words = new uint[panel + (vectors * Lane)];
            Interpret(Bf16PackingCode.RowPair(vectors, convention), convention, rows, columns + 5, words, panel, Count);
            for (int i = 0; i < words.Length; i++)
            {
                int column = (i / panel * vectors * Lane) + (i % panel);
                Assert.Equal(i % panel < vectors * Lane ? Pair(rows[column], rows[columns + 5 + column]) : Untouched, words[i]);
            }
        }
    }

    private static void Interpret(byte[] code, CallConvention convention, float[] source, int stride, uint[] target, int step, int count)
    {
        Array.Fill(target, Untouched);
        fixed (float* from = source)
        fixed (uint* to = target)
        {
            Bf16PackingCall call = Bf16PackingCall.WithShuffle();
            call.Source = from;
            call.StrideBytes = stride * sizeof(float);
            call.Target = to;
            call.StepBytes = step * sizeof(uint);
            call.Count = count;
            new CodeInterpreter().Lend(from, source.Length * sizeof(float)).Lend(to, target.Length * sizeof(uint), writable: true).Lend(&call, sizeof(Bf16PackingCall)).Call(code, &call, convention);
        }
    }

    private static uint Pair(float earlier, float later) => Bits(earlier) | (Bits(later) >> 16);

    private static uint Bits(float number) => BitConverter.SingleToUInt32Bits(Bf16Definition.Round(number));

    // A quarter of them special.
    private static float[] Numbers(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => BitConverter.UInt32BitsToSingle(random.Next(4) == 0 ? Special[random.Next(Special.Length)] : (uint)random.NextInt64(1L << 32)))];
    }
}
