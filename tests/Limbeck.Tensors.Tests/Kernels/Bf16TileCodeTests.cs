using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Limbeck.Tensors.Code;
using Limbeck.Tensors.Kernels;
using Limbeck.Tensors.Tests.Code;

namespace Limbeck.Tensors.Tests.Kernels;

/// <summary>The generated tiles: decoded and interpreted against the portable tile; run with integers where the CPU has VNNI; run as they are where it has AVX512_BF16.</summary>
public sealed unsafe class Bf16TileCodeTests
{
    private const int Lane = 16;
    private const int Group = 16;
    private const int VnniBit = 1 << 11;

    public static TheoryData<int, int> Tiles
    {
        get
        {
            TheoryData<int, int> tiles = [];
            for (int rows = 1; rows <= Bf16TileCode.MostRows; rows++)
            {
                for (int vectors = 1; vectors <= Bf16TileCode.MostVectors; vectors++)
                {
                    tiles.Add(rows, vectors);
                }
            }

            return tiles;
        }
    }

    private static bool HasVnni => Cpu.Tier == CpuTier.Avx512 && (X86Base.CpuId(7, 0).Ecx & VnniBit) != 0;

    [SkippableTheory]
    [MemberData(nameof(Tiles))]
    public void The_decoded_code_gives_the_portable_tiles_bits_under_both_conventions(int rows, int vectors)
    {
        Skip.If(GemmTile.Lane != Lane, "the portable tile has other panels on this tier");
        foreach (bool accumulate in (bool[])[false, true])
        {
            foreach (int k in (int[])[0, 1, 2, 2 * rows, (2 * rows) + 3])
            {
                using Case expected = new(rows, vectors, k, last: 1 + ((rows * 5) + k) % Lane, Numbers.Bf16);
                fixed (Bf16TileCall* call = &expected.Call)
                {
                    Bf16TileKernel.Run(rows, vectors, accumulate, call);
                }

                foreach (CallConvention convention in Enum.GetValues<CallConvention>())
                {
                    using Case own = new(rows, vectors, k, expected.Last, Numbers.Bf16);
                    own.Interpret(Bf16TileCode.Tile(rows, vectors, accumulate, convention), convention);
                    own.AssertSame(expected, $"{rows} x {vectors}, k {k}, accumulate {accumulate}, {convention}");
                }
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Tiles))]
    public void The_same_loop_with_the_integer_instruction_is_exact_on_this_CPU(int rows, int vectors)
    {
        Skip.IfNot(HasVnni, "this CPU has no AVX512_VNNI");
        Skip.If(GeneratedCode.TryCreate([[0xC3]], out string? refused) is null, refused);
        foreach (bool accumulate in (bool[])[false, true])
        {
            GeneratedCode code = GeneratedCode.TryCreate([Bf16TileCode.Tile(rows, vectors, accumulate, GeneratedCode.Convention, PairProduct.Int16)], out _)!;
            foreach (int k in (int[])[0, 1, 2, 9, 16, 17, 100])
            {
                using Case own = new(rows, vectors, k, last: 1 + ((rows * 5) + k) % Lane, Numbers.Integers);
                using Case expected = new(rows, vectors, k, own.Last, Numbers.Integers);
                expected.SumIntegers(accumulate);
                fixed (Bf16TileCall* call = &own.Call)
                {
                    code[0](call);
                }

                own.AssertSame(expected, $"{rows} x {vectors}, k {k}, accumulate {accumulate}");
            }
        }
    }

    [SkippableFact]
    public void The_code_gives_the_portable_tiles_bits_on_a_CPU_that_has_the_instruction()
    {
        Skip.IfNot(Bf16.HasInstruction, "this CPU has no AVX512_BF16");
        GeneratedCode? code = GeneratedCode.TryCreate(Bf16TileCode.All(GeneratedCode.Convention), out string? refused);
        Skip.If(code is null, refused);
        foreach ((int rows, int vectors) in Tiles.Select(tile => ((int)tile[0], (int)tile[1])))
        {
            foreach (bool accumulate in (bool[])[false, true])
            {
                foreach (int k in (int[])[0, 1, 2, 9, 16, 17, 100, 767, 768])
                {
                    using Case own = new(rows, vectors, k, last: 1 + ((rows * 5) + k) % Lane, Numbers.Bf16);
                    using Case expected = new(rows, vectors, k, own.Last, Numbers.Bf16);
                    fixed (Bf16TileCall* call = &expected.Call, ours = &own.Call)
                    {
                        Bf16TileKernel.Run(rows, vectors, accumulate, call);
                        code[Bf16TileCode.Number(rows, vectors, accumulate)](ours);
                    }

                    own.AssertSame(expected, $"{rows} x {vectors}, k {k}, accumulate {accumulate}");
                }
            }
        }
    }

    [Fact]
    public void The_code_for_measuring_the_peak_ends_and_keeps_what_both_conventions_want_back()
    {
        foreach (CallConvention convention in Enum.GetValues<CallConvention>())
        {
            CodeInterpreter interpreter = new();
            interpreter.Call(Bf16TileCode.Chains(3), null, convention);
            Assert.True(interpreter.Steps > 3 * Bf16TileCode.ChainCount);
        }
    }

    private enum Numbers
    {
        Bf16,
        Integers,
    }

    /// <summary>Operands of one tile, the same for the same sizes, and a C with canaries in and beyond its rows.</summary>
    private sealed class Case : IDisposable
    {
        private readonly int rows;
        private readonly int width;
        private readonly int pairs;
        private readonly uint* a;
        private readonly uint* b;
        private readonly GemmGuardedMatrix c;
        private Bf16TileCall call;

        public Case(int rows, int vectors, int k, int last, Numbers numbers)
        {
            Random random = new((rows * 1000) + (vectors * 100) + k);
            this.rows = rows;
            Last = last;
            width = vectors * Lane;
            pairs = Bf16Packing.Pairs(k);
            a = (uint*)NativeMemory.AlignedAlloc((nuint)((pairs * Group) + 1) * sizeof(uint), 64);
            b = (uint*)NativeMemory.AlignedAlloc((nuint)((pairs * width) + 1) * sizeof(uint), 64);
            Fill(random, new Span<uint>(a, pairs * Group), Group, k, numbers);
            Fill(random, new Span<uint>(b, pairs * width), width, k, numbers);
            c = new GemmGuardedMatrix(rows, width - Lane + last, width + 3, 1).Fill(random);
            call = new Bf16TileCall { Pairs = pairs, A = a, B = b, C = c.Data, LdcBytes = c.Stride * sizeof(float), LastMask = Bf16TileCall.Mask(last), Ahead = (byte*)b, AheadBytes = 64 };
        }

        public int Last { get; }

        public ref Bf16TileCall Call => ref call;

        public void Interpret(byte[] code, CallConvention convention)
        {
            fixed (Bf16TileCall* argument = &call)
            {
                CodeInterpreter interpreter = new();
                interpreter.Lend(argument, sizeof(Bf16TileCall)).Lend(a, pairs * Group * sizeof(uint)).Lend(b, pairs * width * sizeof(uint));
                for (int row = 0; row < rows; row++)
                {
                    interpreter.Lend(c.Data + (row * c.Stride), c.Columns * sizeof(float), writable: true);
                }

                interpreter.Call(code, argument, convention);
            }
        }

        public void SumIntegers(bool accumulate)
        {
            for (int row = 0; row < rows; row++)
            {
                for (int column = 0; column < c.Columns; column++)
                {
                    int* target = (int*)c.Data + (row * c.Stride) + column;
                    int sum = 0;
                    for (int pair = 0; pair < pairs; pair++)
                    {
                        uint x = a[(pair * Group) + row], y = b[(pair * width) + column];
                        sum += ((short)x * (short)y) + ((short)(x >> 16) * (short)(y >> 16));
                    }

                    *target = sum + (accumulate ? *target : 0);
                }
            }
        }

        public void AssertSame(Case expected, string where)
        {
            Assert.Equal(expected.c.Bits(), c.Bits());
            Assert.True(c.CanariesAreIntact(), $"{where}: written outside C");
        }

        public void Dispose()
        {
            c.Dispose();
            NativeMemory.AlignedFree(a);
            NativeMemory.AlignedFree(b);
        }

        // With an odd k the last pair has no second step.
        private static void Fill(Random random, Span<uint> words, int width, int k, Numbers numbers)
        {
            for (int i = 0; i < words.Length; i++)
            {
                bool whole = (2 * (i / width)) + 1 < k;
                uint upper = numbers == Numbers.Bf16 ? Bf16Number(random) : (uint)random.Next(1 << 16);
                uint lower = numbers == Numbers.Bf16 ? Bf16Number(random) : (uint)random.Next(1 << 16);
                words[i] = (upper << 16) | (whole ? lower : 0);
            }
        }

        private static uint Bf16Number(Random random) => BitConverter.SingleToUInt32Bits(Bf16Definition.Round((random.NextSingle() - 0.5f) * MathF.ScaleB(1, random.Next(-8, 8)))) >> 16;
    }
}
