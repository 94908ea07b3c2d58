using Iced.Intel;
using Limbeck.Tensors.Code;
using static Iced.Intel.AssemblerRegisters;

namespace Limbeck.Tensors.Kernels;

/// <summary>Writes the tile of a product in bfloat16 for CPUs with AVX512_BF16: up to 8 rows times 3 vectors of 16 sums, all in registers.</summary>
/// <remarks>
/// A pair of steps is: the vectors of the panel, then for each row its word broadcast and one product for each vector. The first pairs also fetch the tile of C, a row
/// each (all at once would stall the loads of the sum), all pairs a line of what will be read next.
/// Registers: the argument in r11; A in rax, B in r10, pairs left in rcx, C in rdx, what lies ahead in r9. The panel's vectors in 0 to 2, the broadcast in 3 and 4 in
/// turn, sums in 16 to 31 and then 8 to 15, whose low halves Windows wants back.
/// </remarks>
internal static class Bf16TileCode
{
    /// <summary>Most rows of a tile.</summary>
    public const int MostRows = 8;

    /// <summary>Most vectors in a row of a panel.</summary>
    public const int MostVectors = 3;

    /// <summary>Independent sums in <see cref="Chains"/>.</summary>
    public const int ChainCount = 20;

    /// <summary>Kinds of tiles.</summary>
    public const int Kinds = 2 * MostRows * MostVectors;

    private const int VectorBytes = 64;
    private const int SavedBytes = 16;
    private const int FirstSavedSum = 16;

    private static readonly AssemblerRegisterZMM[] Panel = [zmm0, zmm1, zmm2];
    private static readonly AssemblerRegisterZMM[] Broadcast = [zmm3, zmm4];
    private static readonly AssemblerRegisterXMM[] Saved = [xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15];
    private static readonly AssemblerRegisterZMM[] Sums =
    [
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
        zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
    ];

    /// <summary>Which kind of tile a generated function computes, 0..<see cref="Kinds"/> - 1.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="vectors">Vectors.</param>
    /// <param name="accumulate">Whether C is added to.</param>
    public static int Number(int rows, int vectors, bool accumulate) =>
        (((accumulate ? MostRows : 0) + rows - 1) * MostVectors) + vectors - 1;

    /// <summary>All tiles, by <see cref="Number"/>.</summary>
    /// <param name="convention">How they are called.</param>
    /// <param name="product">Which instruction multiplies and adds.</param>
    public static byte[][] All(CallConvention convention, PairProduct product = PairProduct.Bf16)
    {
        byte[][] tiles = new byte[Kinds][];
        foreach (bool accumulate in (bool[])[false, true])
        {
            for (int rows = 1; rows <= MostRows; rows++)
            {
                for (int vectors = 1; vectors <= MostVectors; vectors++)
                {
                    tiles[Number(rows, vectors, accumulate)] = Tile(rows, vectors, accumulate, convention, product);
                }
            }
        }

        return tiles;
    }

    /// <summary>A function of a <see cref="Bf16TileCall"/>.</summary>
    /// <param name="rows">1..<see cref="MostRows"/>.</param>
    /// <param name="vectors">1..<see cref="MostVectors"/>.</param>
    /// <param name="accumulate">Whether C is added to, at the end; else C is only written.</param>
    /// <param name="convention">How it is called.</param>
    /// <param name="product">Which instruction multiplies and adds.</param>
    /// <returns>Machine code.</returns>
    public static byte[] Tile(int rows, int vectors, bool accumulate, CallConvention convention, PairProduct product = PairProduct.Bf16) => GeneratedCode.Assemble(c =>
    {
        int saved = convention == CallConvention.Windows ? Math.Max(0, (rows * vectors) - FirstSavedSum) : 0;
        c.mov(r11, convention == CallConvention.Windows ? rcx : rdi);
        Save(c, saved);
        c.mov(rax, __[r11 + Bf16TileCall.AOffset]);
        c.mov(r10, __[r11 + Bf16TileCall.BOffset]);
        c.mov(rcx, __[r11 + Bf16TileCall.PairsOffset]);
        c.mov(rdx, __[r11 + Bf16TileCall.COffset]);
        c.mov(r9, __[r11 + Bf16TileCall.AheadOffset]);
        for (int i = 0; i < rows * vectors; i++)
        {
            c.vpxord(Sums[i], Sums[i], Sums[i]);
        }

        Label fetching = c.CreateLabel();
        Label multiplying = c.CreateLabel();
        Label end = c.CreateLabel();
        c.test(rcx, rcx);
        c.je(end);
        c.mov(r8d, rows);

        c.Label(ref fetching);
        for (int v = 0; v < vectors; v++)
        {
            c.prefetcht0(__byte_ptr[rdx + (v * VectorBytes)]);
        }

        c.prefetcht0(__byte_ptr[rdx + ((vectors * VectorBytes) - 1)]);
        c.add(rdx, __[r11 + Bf16TileCall.LdcBytesOffset]);
        Pair(c, rows, vectors, product);
        c.dec(rcx);
        c.je(end);
        c.dec(r8);
        c.jne(fetching);

        c.Label(ref multiplying);
        Pair(c, rows, vectors, product);
        c.dec(rcx);
        c.jne(multiplying);

        c.Label(ref end);
        Store(c, rows, vectors, accumulate, product);
        Restore(c, saved);
        c.vzeroupper();
        c.ret();
    });

    /// <summary>A function that makes the CPU do nothing but multiply, for measuring its peak: <see cref="ChainCount"/> independent sums.</summary>
    /// <param name="steps">Products in each.</param>
    /// <returns>Machine code; the argument is not used.</returns>
    public static byte[] Chains(int steps) => GeneratedCode.Assemble(c =>
    {
        // 16 to 31 and 2 to 5: no convention wants them back.
        AssemblerRegisterZMM[] sums = [.. Sums[..FirstSavedSum], zmm2, zmm3, zmm4, zmm5];
        foreach (AssemblerRegisterZMM register in (AssemblerRegisterZMM[])[zmm0, zmm1, .. sums])
        {
            c.vpxord(register, register, register);
        }

        Label loop = c.CreateLabel();
        c.mov(ecx, steps);
        c.Label(ref loop);
        foreach (AssemblerRegisterZMM sum in sums)
        {
            c.vdpbf16ps(sum, zmm0, zmm1);
        }

        c.dec(rcx);
        c.jne(loop);
        c.vzeroupper();
        c.ret();
    });

    private static void Pair(Assembler c, int rows, int vectors, PairProduct product)
    {
        for (int v = 0; v < vectors; v++)
        {
            c.vmovups(Panel[v], __zmmword_ptr[r10 + (v * VectorBytes)]);
        }

        c.prefetcht1(__byte_ptr[r9]);
        c.add(r9, __[r11 + Bf16TileCall.AheadBytesOffset]);
        for (int row = 0; row < rows; row++)
        {
            AssemblerRegisterZMM x = Broadcast[row % 2];
            c.vpbroadcastd(x, __dword_ptr[rax + (row * sizeof(uint))]);
            for (int v = 0; v < vectors; v++)
            {
                AssemblerRegisterZMM sum = Sums[(row * vectors) + v];
                if (product == PairProduct.Bf16)
                {
                    c.vdpbf16ps(sum, x, Panel[v]);
                }
                else
                {
                    c.vpdpwssd(sum, x, Panel[v]);
                }
            }
        }

        // The code is for 16 lanes, whatever tier writes it.
        c.add(rax, 2 * MostRows * sizeof(uint));
        c.add(r10, vectors * VectorBytes);
    }

    private static void Store(Assembler c, int rows, int vectors, bool accumulate, PairProduct product)
    {
        c.mov(rdx, __[r11 + Bf16TileCall.COffset]);
        c.mov(ecx, __dword_ptr[r11 + Bf16TileCall.LastMaskOffset]);
        c.kmovw(k1, ecx);
        for (int row = 0; row < rows; row++)
        {
            for (int v = 0; v < vectors; v++)
            {
                AssemblerRegisterZMM sum = Sums[(row * vectors) + v];
                AssemblerMemoryOperand target = __zmmword_ptr[rdx + (v * VectorBytes)];
                bool last = v == vectors - 1;
                if (accumulate && product == PairProduct.Bf16)
                {
                    c.vaddps(last ? sum.k1.z : sum, sum, target);
                }
                else if (accumulate)
                {
                    c.vpaddd(last ? sum.k1.z : sum, sum, target);
                }

                c.vmovups(last ? target.k1 : target, sum);
            }

            if (row < rows - 1)
            {
                c.add(rdx, __[r11 + Bf16TileCall.LdcBytesOffset]);
            }
        }
    }

    private static void Save(Assembler c, int registers)
    {
        if (registers > 0)
        {
            c.sub(rsp, registers * SavedBytes);
            for (int i = 0; i < registers; i++)
            {
                c.vmovups(__xmmword_ptr[rsp + (i * SavedBytes)], Saved[i]);
            }
        }
    }

    private static void Restore(Assembler c, int registers)
    {
        if (registers > 0)
        {
            for (int i = 0; i < registers; i++)
            {
                c.vmovups(Saved[i], __xmmword_ptr[rsp + (i * SavedBytes)]);
            }

            c.add(rsp, registers * SavedBytes);
        }
    }
}
