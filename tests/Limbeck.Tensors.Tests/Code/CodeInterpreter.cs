using Iced.Intel;
using Limbeck.Tensors.Code;
using Limbeck.Tensors.Tests.Kernels;

namespace Limbeck.Tensors.Tests.Code;

/// <summary>Runs generated code without the CPU: the few instructions that it uses, over real memory of which only what was lent may be touched.</summary>
/// <remarks>So that code for instructions that this machine lacks, or for another system's calling convention, can be tested.</remarks>
internal sealed unsafe class CodeInterpreter
{
    private const int Lanes = 16;
    private const ulong ReturnAddress = 0xdeadbeef;
    private const int StackBytes = 4096;
    private readonly ulong[] general = new ulong[16];
    private readonly uint[][] vectors = [.. Enumerable.Range(0, 32).Select(register => Enumerable.Range(0, Lanes).Select(lane => 0x7fc00000u + (uint)((register * Lanes) + lane)).ToArray())];
    private readonly ushort[] masks = new ushort[8];
    private readonly List<(ulong Start, ulong End, bool Writable)> lent = [];
    private bool zero;

    /// <summary>Instructions run so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Lets the code read, and perhaps write, some memory.</summary>
    public CodeInterpreter Lend(void* start, long bytes, bool writable = false)
    {
        lent.Add(((ulong)start, (ulong)start + (ulong)bytes, writable));
        return this;
    }

    /// <summary>Calls a function of one pointer and checks that it kept what its convention says.</summary>
    public void Call(byte[] code, void* argument, CallConvention convention)
    {
        byte* stack = stackalloc byte[StackBytes];
        Lend(stack, StackBytes, writable: true);
        for (int i = 0; i < general.Length; i++)
        {
            general[i] = 0x1111111111111111UL * (ulong)i;
        }

        ulong top = ((ulong)stack + StackBytes - 64) / 16 * 16 - 8;
        *(ulong*)top = ReturnAddress;
        Set(Register.RSP, top);
        Set(convention == CallConvention.Windows ? Register.RCX : Register.RDI, (ulong)argument);
        ulong[] before = [.. general];
        uint[][] vectorsBefore = [.. vectors.Select(vector => (uint[])vector.Clone())];
        Run(code);
        Assert.Equal(top + 8, Get(Register.RSP));
        Register[] kept = convention == CallConvention.Windows
            ? [Register.RBX, Register.RBP, Register.RDI, Register.RSI, Register.R12, Register.R13, Register.R14, Register.R15]
            : [Register.RBX, Register.RBP, Register.R12, Register.R13, Register.R14, Register.R15];
        Assert.All(kept, register => Assert.Equal(before[register - Register.RAX], Get(register)));
        for (int register = 6; convention == CallConvention.Windows && register < 16; register++)
        {
            Assert.Equal(vectorsBefore[register][..4], vectors[register][..4]);
        }
    }

    private void Run(byte[] code)
    {
        Dictionary<ulong, Instruction> program = [];
        Decoder decoder = Decoder.Create(64, code);
        while (decoder.IP < (ulong)code.Length)
        {
            Instruction instruction = decoder.Decode();
            Assert.False(instruction.IsInvalid, $"the bytes at {instruction.IP} are no instruction");
            program.Add(instruction.IP, instruction);
        }

        ulong at = 0;
        while (true)
        {
            Instruction instruction = program[at];
            Steps++;
            at = instruction.NextIP;
            switch (instruction.Mnemonic)
            {
                case Mnemonic.Ret:
                    Assert.Equal(ReturnAddress, Read64(Get(Register.RSP)));
                    Set(Register.RSP, Get(Register.RSP) + 8);
                    return;
                case Mnemonic.Je:
                    at = zero ? instruction.NearBranchTarget : at;
                    break;
                case Mnemonic.Jne:
                    at = zero ? at : instruction.NearBranchTarget;
                    break;
                default:
                    Step(instruction);
                    break;
            }
        }
    }

    private void Step(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Mov:
                Set(i.Op0Register, Value(i, 1));
                break;
            case Mnemonic.Add:
                Arithmetic(i, Get(i.Op0Register) + Value(i, 1));
                break;
            case Mnemonic.Sub:
                Arithmetic(i, Get(i.Op0Register) - Value(i, 1));
                break;
            case Mnemonic.Dec:
                Arithmetic(i, Get(i.Op0Register) - 1);
                break;
            case Mnemonic.Test:
                zero = (Get(i.Op0Register) & Value(i, 1)) == 0;
                break;
            case Mnemonic.Kmovw:
                masks[i.Op0Register - Register.K0] = (ushort)Get(i.Op1Register);
                break;
            case Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1:
                break;
            case Mnemonic.Vzeroupper:
                Array.ForEach(vectors[..16], vector => Array.Clear(vector, 4, Lanes - 4));
                break;
            case Mnemonic.Vmovups when i.Op0Kind == OpKind.Memory:
                Store(i);
                break;
            case Mnemonic.Vmovups:
                Write(i, Load(i, 1));
                break;
            case Mnemonic.Vpbroadcastd:
                uint word = Read32(Address(i));
                Write(i, [.. Enumerable.Repeat(word, Lanes)]);
                break;
            case Mnemonic.Vpxord:
                Write(i, Lane(i, (_, a, b) => a ^ b));
                break;
            case Mnemonic.Vpaddd:
                Write(i, Lane(i, (_, a, b) => a + b));
                break;
            case Mnemonic.Vaddps:
                Write(i, Lane(i, (_, a, b) => Bits(Number(a) + Number(b))));
                break;
            case Mnemonic.Vdpbf16ps:
                Write(i, Lane(i, (sum, a, b) => Bits(Bf16Definition.Dot(a, b, Number(sum)))));
                break;
            case Mnemonic.Vcvtne2ps2bf16:
                Write(i, Halves(Load(i, 2), Load(i, 1)));
                break;
            case Mnemonic.Vprold:
                int turn = (int)i.GetImmediate(2);
                Write(i, [.. Load(i, 1).Select(value => uint.RotateLeft(value, turn))]);
                break;
            case Mnemonic.Vunpcklps:
                Write(i, Quarters(i, (a, b) => [a[0], b[0], a[1], b[1]]));
                break;
            case Mnemonic.Vunpckhps:
                Write(i, Quarters(i, (a, b) => [a[2], b[2], a[3], b[3]]));
                break;
            case Mnemonic.Vunpcklpd:
                Write(i, Quarters(i, (a, b) => [a[0], a[1], b[0], b[1]]));
                break;
            case Mnemonic.Vunpckhpd:
                Write(i, Quarters(i, (a, b) => [a[2], a[3], b[2], b[3]]));
                break;
            case Mnemonic.Vshuff32x4:
                Write(i, ChosenQuarters(Load(i, 1), Load(i, 2), (int)i.GetImmediate(3)));
                break;
            case Mnemonic.Vpermw:
                Write(i, Permuted(Load(i, 1), Load(i, 2)));
                break;
            case Mnemonic.Vpdpwssd:
                Write(i, Lane(i, (sum, a, b) => sum + (uint)((short)a * (short)b) + (uint)((short)(a >> 16) * (short)(b >> 16))));
                break;
            default:
                Assert.Fail($"the interpreter does not know {i}");
                break;
        }
    }

    private static float Number(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static uint Bits(float number) => BitConverter.SingleToUInt32Bits(number);

    private static int VectorNumber(Register register) =>
        register >= Register.ZMM0 ? register - Register.ZMM0 : register - Register.XMM0;

    private static int Width(Register register) => register >= Register.ZMM0 ? Lanes : 4;

    private void Arithmetic(in Instruction i, ulong result)
    {
        Set(i.Op0Register, result);
        zero = result == 0;
    }

    private ulong Get(Register register) => register >= Register.RAX ? general[register - Register.RAX] : (uint)general[register - Register.EAX];

    // A write to 32 bits clears the upper half.
    private void Set(Register register, ulong value) =>
        general[register >= Register.RAX ? register - Register.RAX : register - Register.EAX] = register >= Register.RAX ? value : (uint)value;

    private ulong Value(in Instruction i, int operand) => i.GetOpKind(operand) switch
    {
        OpKind.Register => Get(i.GetOpRegister(operand)),
        OpKind.Memory when i.MemorySize == MemorySize.UInt32 => Read32(Address(i)),
        OpKind.Memory => Read64(Address(i)),
        _ => i.GetImmediate(operand),
    };

    private ulong Address(in Instruction i) =>
        Get(i.MemoryBase) + i.MemoryDisplacement64 + (i.MemoryIndex == Register.None ? 0 : (ulong)i.MemoryIndexScale * Get(i.MemoryIndex));

    // A masked lane is neither read nor written, as the CPU suppresses its fault.
    private uint[] Load(in Instruction i, int operand)
    {
        if (i.GetOpKind(operand) == OpKind.Register)
        {
            return [.. vectors[VectorNumber(i.GetOpRegister(operand))]];
        }

        uint[] value = new uint[Lanes];
        for (int lane = 0; lane < Width(i.Op0Register); lane++)
        {
            value[lane] = Active(i, lane) ? Read32(Address(i) + (4 * (ulong)lane)) : 0;
        }

        return value;
    }

    private uint[] Lane(in Instruction i, Func<uint, uint, uint, uint> function)
    {
        uint[] sum = vectors[VectorNumber(i.Op0Register)];
        uint[] a = Load(i, 1);
        uint[] b = Load(i, 2);
        return [.. Enumerable.Range(0, Lanes).Select(lane => function(sum[lane], a[lane], b[lane]))];
    }

    // Rounded to halves of words: the numbers of the one operand first, then those of the other.
    private static uint[] Halves(uint[] lower, uint[] upper)
    {
        uint[] rounded = [.. lower.Concat(upper).Select(number => Bits(Bf16Definition.Round(Number(number))) >> 16)];
        return [.. rounded.Chunk(2).Select(pair => pair[0] | (pair[1] << 16))];
    }

    private static uint[] ChosenQuarters(uint[] a, uint[] b, int choice) =>
        [.. Enumerable.Range(0, 4).SelectMany(quarter => (quarter < 2 ? a : b).Skip(4 * ((choice >> (2 * quarter)) & 3)).Take(4))];

    private static uint[] Permuted(uint[] order, uint[] source)
    {
        static uint[] HalvesOf(uint[] words) => [.. words.SelectMany(word => (uint[])[word & 0xffff, word >> 16])];
        uint[] halves = HalvesOf(source);
        return [.. HalvesOf(order).Select(place => halves[place & 31]).Chunk(2).Select(pair => pair[0] | (pair[1] << 16))];
    }

    private uint[] Quarters(in Instruction i, Func<uint[], uint[], uint[]> mix) =>
        [.. Load(i, 1).Chunk(4).Zip(Load(i, 2).Chunk(4), mix).SelectMany(quarter => quarter)];

    private void Write(in Instruction i, uint[] value)
    {
        uint[] target = vectors[VectorNumber(i.Op0Register)];
        for (int lane = 0; lane < Lanes; lane++)
        {
            bool active = Active(i, lane) && lane < Width(i.Op0Register);
            target[lane] = active ? value[lane] : i.ZeroingMasking || lane >= Width(i.Op0Register) ? 0 : target[lane];
        }
    }

    private void Store(in Instruction i)
    {
        uint[] value = vectors[VectorNumber(i.Op1Register)];
        for (int lane = 0; lane < Width(i.Op1Register); lane++)
        {
            if (Active(i, lane))
            {
                *(uint*)Allowed(Address(i) + (4 * (ulong)lane), 4, writes: true) = value[lane];
            }
        }
    }

    private bool Active(in Instruction i, int lane) => i.OpMask == Register.None || (masks[i.OpMask - Register.K0] >> lane & 1) != 0;

    private uint Read32(ulong address) => *(uint*)Allowed(address, 4, writes: false);

    private ulong Read64(ulong address) => *(ulong*)Allowed(address, 8, writes: false);

    private void* Allowed(ulong address, ulong bytes, bool writes)
    {
        Assert.True(
            lent.Exists(part => address >= part.Start && address + bytes <= part.End && (part.Writable || !writes)),
            $"the code {(writes ? "writes" : "reads")} {bytes} bytes at {address:x}, which it was not lent");
        return (void*)address;
    }
}
