using Iced.Intel;
using Limbeck.Tensors.Code;
using static Iced.Intel.AssemblerRegisters;

namespace Limbeck.Tensors.Kernels;

/// <summary>Writes what brings operands of a product into pairs of bfloat16, for CPUs with AVX512_BF16: VCVTNE2PS2BF16 rounds 32 numbers at once, which takes a dozen instructions without it.</summary>
/// <remarks>The argument in r11; the source in rax, its rows' distance in r8, the target in rdx, what is left in rcx, a distance in r9. No register that a convention wants back.</remarks>
internal static class Bf16PackingCode
{
    /// <summary>Steps that <see cref="Columns"/> takes at once.</summary>
    public const int Steps = 32;

    /// <summary>Columns in a vector of pairs, and so stored rows that <see cref="Columns"/> takes at once.</summary>
    public const int Lane = 16;

    /// <summary>Kinds of functions: each of the two for panels of 1 to 3 vectors.</summary>
    public const int Kinds = 2 * Bf16TileCode.MostVectors;

    private const int VectorBytes = 64;
    private const int Half = 16;

    private static readonly AssemblerRegisterZMM[] Registers =
    [
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
    ];

    /// <summary>The number of a function among <see cref="All"/>.</summary>
    /// <param name="columns">Whether it is <see cref="Columns"/>, else <see cref="RowPair"/>.</param>
    /// <param name="vectors">Vectors in a row of a panel, 1..3.</param>
    public static int Number(bool columns, int vectors) => (columns ? Bf16TileCode.MostVectors : 0) + vectors - 1;

    /// <summary>All functions of a <see cref="Bf16PackingCall"/>, by <see cref="Number"/>.</summary>
    /// <param name="convention">How they are called.</param>
    public static byte[][] All(CallConvention convention)
    {
        byte[][] functions = new byte[Kinds][];
        for (int vectors = 1; vectors <= Bf16TileCode.MostVectors; vectors++)
        {
            functions[Number(false, vectors)] = RowPair(vectors, convention);
            functions[Number(true, vectors)] = Columns(vectors, convention);
        }

        return functions;
    }

    /// <summary>A source stored [k, n]: one pair of steps, of two stored rows, for Count panels.</summary>
    /// <param name="vectors">Vectors in a row of a panel.</param>
    /// <param name="convention">How it is called.</param>
    public static byte[] RowPair(int vectors, CallConvention convention) => GeneratedCode.Assemble(c =>
    {
        Begin(c, convention);
        c.mov(r9, __[r11 + Bf16PackingCall.StepBytesOffset]);
        c.vmovups(zmm5, __zmmword_ptr[r11 + Bf16PackingCall.ShuffleOffset]);
        Label panel = c.CreateLabel();
        c.Label(ref panel);
        for (int v = 0; v < vectors; v++)
        {
            c.vmovups(Registers[v], __zmmword_ptr[rax + (v * VectorBytes)]);
            c.vcvtne2ps2bf16(Registers[v], Registers[v], __zmmword_ptr[rax + r8 + (v * VectorBytes)]);
            c.vpermw(Registers[v], zmm5, Registers[v]);
            c.vmovups(__zmmword_ptr[rdx + (v * VectorBytes)], Registers[v]);
        }

        c.add(rax, vectors * VectorBytes);
        c.add(rdx, r9);
        End(c, panel);
    });

    /// <summary>A source stored [n, k]: 16 stored rows, Count blocks of 32 steps.</summary>
    /// <remarks>A stored row's 32 steps become 16 pairs in a vector; 16 such vectors are transposed.</remarks>
    /// <param name="vectors">Vectors in a row of the panel, of which this fills one.</param>
    /// <param name="convention">How it is called.</param>
    public static byte[] Columns(int vectors, CallConvention convention) => GeneratedCode.Assemble(c =>
    {
        Begin(c, convention);
        Label block = c.CreateLabel();
        c.Label(ref block);
        c.mov(r10, rax);
        foreach (AssemblerRegisterZMM row in Registers)
        {
            c.vmovups(row, __zmmword_ptr[r10 + VectorBytes]);
            c.vcvtne2ps2bf16(row, row, __zmmword_ptr[r10]);
            c.vprold(row, row, Half);
            c.add(r10, r8);
        }

        AssemblerRegisterZMM[] pairs = Transposed(c);
        for (int p = 0; p < Lane; p++)
        {
            c.vmovups(__zmmword_ptr[rdx + (p * vectors * VectorBytes)], pairs[p]);
        }

        c.add(rax, Steps * sizeof(float));
        c.add(rdx, Lane * vectors * VectorBytes);
        End(c, block);
    });

    private static void Begin(Assembler c, CallConvention convention)
    {
        c.mov(r11, convention == CallConvention.Windows ? rcx : rdi);
        c.mov(rax, __[r11 + Bf16PackingCall.SourceOffset]);
        c.mov(r8, __[r11 + Bf16PackingCall.StrideBytesOffset]);
        c.mov(rdx, __[r11 + Bf16PackingCall.TargetOffset]);
        c.mov(rcx, __[r11 + Bf16PackingCall.CountOffset]);
    }

    private static void End(Assembler c, Label loop)
    {
        c.dec(rcx);
        c.jne(loop);
        c.vzeroupper();
        c.ret();
    }

    // 16 x 16 words: within groups of four by words and by pairs of words, then between the groups by quarters of a register. Returns which register holds which column.
    private static AssemblerRegisterZMM[] Transposed(Assembler c)
    {
        Stack<AssemblerRegisterZMM> free = new([zmm0, zmm1, zmm2, zmm3]);
        AssemblerRegisterZMM[] now = [.. Registers];
        for (int i = 0; i < Lane; i += 2)
        {
            Both(i, i + 1, c.vunpcklps, c.vunpckhps);
        }

        for (int i = 0; i < Lane; i += 4)
        {
            Both(i, i + 2, c.vunpcklpd, c.vunpckhpd);
            Both(i + 1, i + 3, c.vunpcklpd, c.vunpckhpd);
        }

        // Register 4g + {0, 2, 1, 3}[j] holds the columns j, 4 + j, 8 + j, 12 + j of the rows 4g to 4g + 3, one in each quarter.
        for (int j = 0; j < 4; j++)
        {
            Quarters(j, j + 4);
            Quarters(j + 8, j + 12);
            Quarters(j, j + 8);
            Quarters(j + 4, j + 12);
        }

        int[] order = [0, 2, 1, 3];
        AssemblerRegisterZMM[] columns = new AssemblerRegisterZMM[Lane];
        for (int j = 0; j < 4; j++)
        {
            // After the two rounds: columns j, 8 + j in the registers j, 8 + j, and 4 + j, 12 + j in the others.
            columns[j] = now[order[j]];
            columns[8 + j] = now[order[j] + 8];
            columns[4 + j] = now[order[j] + 4];
            columns[12 + j] = now[order[j] + 12];
        }

        return columns;

        void Quarters(int a, int b)
        {
            const byte Even = 0x88;
            const byte Odd = 0xdd;
            Both(a, b, (to, x, y) => c.vshuff32x4(to, x, y, Even), (to, x, y) => c.vshuff32x4(to, x, y, Odd));
        }

        // Of two registers makes two: the first kind of mixture in the place of a, the second in that of b.
        void Both(int a, int b, Action<AssemblerRegisterZMM, AssemblerRegisterZMM, AssemblerRegisterZMM> first, Action<AssemblerRegisterZMM, AssemblerRegisterZMM, AssemblerRegisterZMM> second)
        {
            AssemblerRegisterZMM target = free.Pop();
            first(target, now[a], now[b]);
            second(now[b], now[a], now[b]);
            free.Push(now[a]);
            now[a] = target;
        }
    }
}
