using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Limbeck.Checkpoints;

/// <summary>A pickle machine that can build tensors, containers and plain values, and nothing else. It calls no code: every global it does not know is refused by name.</summary>
/// <remarks>
/// The opcodes are those of Python's <c>pickletools</c>, protocols 0 to 5, less the ones that make objects of arbitrary classes. Each opcode takes at least one byte
/// and adds at most one value, so memory is bounded by the length of the pickle, which is itself limited; nothing is allocated by a size that the file claims before
/// that many bytes have been seen to be there. Nothing recurses.
/// </remarks>
internal ref struct PickleReader
{
    /// <summary>The longest pickle that is read, bytes: a thousand times that of the largest BERT.</summary>
    public const int MostBytes = 64 << 20;

    /// <summary>The longest integer, bytes; PyTorch's magic number has ten.</summary>
    private const int MostIntegerBytes = 16;

    private readonly ReadOnlySpan<byte> _data;
    private readonly string _path;
    private readonly long _start;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _at;

    /// <summary>A reader over the bytes that start with the pickle.</summary>
    /// <param name="data">The pickle, and whatever follows it.</param>
    /// <param name="path">For messages: the file.</param>
    /// <param name="start">For messages: where <paramref name="data"/> starts in the file, bytes.</param>
    public PickleReader(ReadOnlySpan<byte> data, string path, long start)
    {
        _data = data;
        _path = path;
        _start = start;
    }

    /// <summary>Runs to the end of one pickle.</summary>
    /// <param name="length">The bytes it took.</param>
    /// <returns>null, bool, long, BigInteger, double, string, byte[], PickleTuple, List of object, or one of the types of this folder.</returns>
    /// <exception cref="CheckpointException">A global that is not a tensor's, an opcode that tensors do not need, or a damaged pickle.</exception>
    public object? Load(out int length)
    {
        for (; ; )
        {
            byte opcode = Byte();
            if (opcode == (byte)'.')
            {
                length = _at;
                return Pop();
            }
            Run(opcode);
        }
    }

    private void Run(byte opcode)
    {
        switch (opcode)
        {
            // Framing and the stack.
            case 0x80:
                Protocol(Byte());
                break;
            case 0x95:
                Take(sizeof(ulong));
                break;
            case (byte)'(':
                _marks.Add(_stack.Count);
                break;
            case (byte)'0':
                Pop();
                break;
            case (byte)'1':
                PopMark();
                break;
            case (byte)'2':
                _stack.Add(Peek());
                break;

            // Plain values.
            case (byte)'N':
                _stack.Add(null);
                break;
            case 0x88 or 0x89:
                _stack.Add(opcode == 0x88);
                break;
            case (byte)'J':
                _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                break;
            case (byte)'K':
                _stack.Add((long)Byte());
                break;
            case (byte)'M':
                _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                break;
            case (byte)'I' or (byte)'L':
                _stack.Add(TextInteger());
                break;
            case 0x8A:
                AddInteger(Byte());
                break;
            case 0x8B:
                AddInteger(BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                break;
            case (byte)'G':
                _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                break;
            case (byte)'F':
                _stack.Add(double.TryParse(Line(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : throw Broken("a float that is none"));
                break;
            case (byte)'X' or (byte)'T':
                _stack.Add(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                break;
            case 0x8C or (byte)'U':
                _stack.Add(Text(Byte()));
                break;
            case 0x8D:
                _stack.Add(Text(BinaryPrimitives.ReadUInt64LittleEndian(Take(8))));
                break;
            case (byte)'V':
                _stack.Add(Line());
                break;
            case (byte)'S':
                _stack.Add(Line().Trim('\'', '"'));
                break;
            case (byte)'B':
                _stack.Add(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))).ToArray());
                break;
            case (byte)'C':
                _stack.Add(Take(Byte()).ToArray());
                break;
            case 0x8E:
                _stack.Add(Take(BinaryPrimitives.ReadUInt64LittleEndian(Take(8))).ToArray());
                break;

            // Containers.
            case (byte)')':
                _stack.Add(new PickleTuple([]));
                break;
            case (byte)'t':
                _stack.Add(new PickleTuple(PopMark()));
                break;
            case 0x85 or 0x86 or 0x87:
                _stack.Add(new PickleTuple(Pop(opcode - 0x84)));
                break;
            case (byte)']':
                _stack.Add(new List<object?>());
                break;
            case (byte)'l':
                _stack.Add(new List<object?>(PopMark()));
                break;
            case (byte)'a':
                Append(Pop(1));
                break;
            case (byte)'e':
                Append(PopMark());
                break;
            case (byte)'}':
                _stack.Add(new PickleDictionary());
                break;
            case (byte)'d':
                object?[] pairs = PopMark();
                _stack.Add(new PickleDictionary());
                Set(pairs);
                break;
            case (byte)'s':
                Set(Pop(2));
                break;
            case (byte)'u':
                Set(PopMark());
                break;

            // The memo.
            case (byte)'q':
                _memo[Byte()] = Peek();
                break;
            case (byte)'r':
                _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Peek();
                break;
            case (byte)'p':
                _memo[TextInteger() as long? ?? throw Broken("a memo that is no number")] = Peek();
                break;
            case 0x94:
                _memo[_memo.Count] = Peek();
                break;
            case (byte)'h':
                Recall(Byte());
                break;
            case (byte)'j':
                Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)));
                break;
            case (byte)'g':
                Recall(TextInteger() as long? ?? throw Broken("a memo that is no number"));
                break;

            // Globals and what is done with them.
            case (byte)'c':
                string module = Line();
                _stack.Add(Global(module, Line()));
                break;
            case 0x93:
                object?[] names = Pop(2);
                _stack.Add(Global(names[0] as string ?? "?", names[1] as string ?? "?"));
                break;
            case (byte)'i':
                string instanceModule = Line();
                Global(instanceModule, Line());
                throw Refused(opcode);
            case (byte)'R':
                object?[] call = Pop(2);
                _stack.Add(Call(call[0], call[1]));
                break;
            case (byte)'b':
                Pop();
                if (Peek() is not PickleDictionary)
                {
                    throw Refused(opcode); // A dictionary's state is its module's version numbers, which say nothing of tensors.
                }
                break;
            case (byte)'Q':
                _stack.Add(Storage(Pop()));
                break;
            default:
                throw Refused(opcode);
        }
    }

    private readonly PickleGlobal Global(string module, string name)
    {
        string full = module + "." + name;
        return full switch
        {
            "collections.OrderedDict" => new PickleGlobal(full, PickleCallable.OrderedDictionary),
            "torch.Size" => new PickleGlobal(full, PickleCallable.Size),
            "torch._utils._rebuild_tensor" or "torch._utils._rebuild_tensor_v2" => new PickleGlobal(full, PickleCallable.RebuildTensor),
            "torch._utils._rebuild_parameter" => new PickleGlobal(full, PickleCallable.RebuildParameter),
            "torch.FloatStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.F32),
            "torch.HalfStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.F16),
            "torch.BFloat16Storage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.BF16),
            "torch.DoubleStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.F64),
            "torch.LongStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.I64),
            "torch.IntStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.I32),
            "torch.ShortStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.I16),
            "torch.CharStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.I8),
            "torch.ByteStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.U8),
            "torch.BoolStorage" => new PickleGlobal(full, PickleCallable.Storage, TensorType.Bool),
            _ => throw new CheckpointException(
                $"{_path}: the pickle names the global '{full}' at byte {Place}; only those that rebuild tensors are allowed. It was not run. A file of weights has no use for it: do not trust this file, or have its maker save model.state_dict() as safetensors"),
        };
    }

    private readonly object? Call(object? callable, object? arguments)
    {
        if (callable is not PickleGlobal global || arguments is not PickleTuple { Items: var items })
        {
            throw Broken("a call of something that is not a global");
        }
        switch (global.Callable)
        {
            case PickleCallable.OrderedDictionary when items.Length == 0:
                return new PickleDictionary();
            case PickleCallable.OrderedDictionary when items is [List<object?> pairs]:
                var dictionary = new PickleDictionary();
                foreach (object? pair in pairs)
                {
                    object? key = pair switch
                    {
                        PickleTuple { Items.Length: 2 } tuple => tuple.Items[0],
                        List<object?> { Count: 2 } list => list[0],
                        _ => null,
                    };
                    dictionary.Items[Key(key)] = pair is PickleTuple found ? found.Items[1] : ((List<object?>)pair!)[1];
                }
                return dictionary;
            case PickleCallable.Size when items is [PickleTuple size]:
                return size;
            case PickleCallable.RebuildParameter when items is [PickleTensor tensor, ..]:
                return tensor;
            case PickleCallable.RebuildTensor when items is [PickleStorage storage, long offset, PickleTuple shape, PickleTuple strides, ..]:
                return Tensor(storage, offset, Numbers(shape), Numbers(strides));
            default:
                throw Broken($"a call of {global.Name} with arguments that it does not take");
        }
    }

    private readonly PickleTensor Tensor(PickleStorage storage, long offset, long[] shape, long[] strides)
    {
        string what = $"a tensor {TensorTypes.Text(shape)} with strides {TensorTypes.Text(strides)} at {offset} of storage '{storage.Key}', which has {storage.Count} elements";
        if (shape.Length != strides.Length || offset < 0 || strides.Any(stride => stride < 0) || !TensorTypes.TryCount(shape, out long count))
        {
            throw Broken(what + ": the numbers are impossible");
        }
        if (count > storage.Count)
        {
            throw Broken($"{what}: it has {count} elements, more than it stores; expanded tensors are not supported");
        }
        if (count == 0)
        {
            return new PickleTensor(storage, 0, shape, strides);
        }
        Int128 last = offset;
        for (int i = 0; i < shape.Length; i++)
        {
            last += (Int128)(shape[i] - 1) * strides[i];
        }
        if (last >= storage.Count)
        {
            throw Broken($"{what}: its last element would be number {last}");
        }
        return new PickleTensor(storage, offset, shape, strides);
    }

    private readonly PickleStorage Storage(object? id)
    {
        if (id is not PickleTuple { Items: ["storage", PickleGlobal { Callable: PickleCallable.Storage } global, string key, _, long count, .. var rest] } || count < 0)
        {
            throw Broken("a persistent id that is not a storage");
        }
        return rest switch
        {
            [] or [null] => new PickleStorage(key, global.Type, count, 0),
            [PickleTuple { Items: [_, long first, long size] }] when first >= 0 && size >= 0 && first <= count - size => new PickleStorage(key, global.Type, size, first),
            _ => throw Broken($"storage '{key}' with a view outside of it"),
        };
    }

    private readonly long[] Numbers(PickleTuple tuple)
    {
        var numbers = new long[tuple.Items.Length];
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = tuple.Items[i] as long? ?? throw Broken("a size that is not a whole number");
        }
        return numbers;
    }

    private readonly void Append(ReadOnlySpan<object?> items)
    {
        if (Peek() is not List<object?> list)
        {
            throw Broken("an addition to something that is not a list");
        }
        list.AddRange(items);
    }

    private readonly void Set(ReadOnlySpan<object?> pairs)
    {
        if (Peek() is not PickleDictionary dictionary || pairs.Length % 2 != 0)
        {
            throw Broken("an entry for something that is not a dictionary");
        }
        for (int i = 0; i < pairs.Length; i += 2)
        {
            dictionary.Items[Key(pairs[i])] = pairs[i + 1];
        }
    }

    private readonly object Key(object? key) => key is string or long ? key : throw Broken("a dictionary's key that is neither text nor a whole number");

    private readonly void Recall(long index) => _stack.Add(_memo.TryGetValue(index, out object? value) ? value : throw Broken($"memo {index}, which was never set"));

    private readonly int Floor => _marks.Count > 0 ? _marks[^1] : 0;

    private readonly object? Peek() => _stack.Count > Floor ? _stack[^1] : throw Broken("a value that is not on the stack");

    private readonly object? Pop()
    {
        object? value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private readonly object?[] Pop(int count)
    {
        if (_stack.Count - Floor < count)
        {
            throw Broken("a value that is not on the stack");
        }
        object?[] values = [.. _stack[^count..]];
        _stack.RemoveRange(_stack.Count - count, count);
        return values;
    }

    private readonly object?[] PopMark()
    {
        if (_marks.Count == 0)
        {
            throw Broken("a mark that was never set");
        }
        int mark = _marks[^1];
        object?[] values = Pop(_stack.Count - mark);
        _marks.RemoveAt(_marks.Count - 1);
        return values;
    }

    private byte Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(_data.Length - _at))
        {
            throw new CheckpointException($"{_path}: the pickle needs {count} bytes at {Place}; {_data.Length - _at} are left. The file is cut off or damaged");
        }
        ReadOnlySpan<byte> bytes = _data.Slice(_at, (int)count);
        _at += (int)count;
        return bytes;
    }

    private string Text(ulong count)
    {
        ReadOnlySpan<byte> bytes = Take(count);
        return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw Broken("text that is not UTF-8");
    }

    private string Line()
    {
        int end = _data[_at..].IndexOf((byte)'\n');
        string line = Text((ulong)(end < 0 ? _data.Length - _at + 1 : end));
        _at++;
        return line;
    }

    private object TextInteger()
    {
        string line = Line().TrimEnd('L');
        return line switch
        {
            "00" => false,
            "01" => true,
            _ => long.TryParse(line, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : throw Broken("a whole number that is none"),
        };
    }

    private void AddInteger(int length)
    {
        if (length is < 0 or > MostIntegerBytes)
        {
            throw Broken($"a whole number of {length} bytes");
        }
        var number = new BigInteger(Take((ulong)length));
        bool isLong = number >= long.MinValue && number <= long.MaxValue;
        _stack.Add(isLong ? (object)(long)number : number);
    }

    private readonly void Protocol(byte version)
    {
        if (version > 5)
        {
            throw Broken($"protocol {version}; 0 to 5 are known");
        }
    }

    private readonly long Place => _start + _at;

    private readonly CheckpointException Refused(byte opcode) =>
        new($"{_path}: the pickle has opcode 0x{opcode:X2} before byte {Place}, which files of tensors do not use; refused. Have its maker save model.state_dict() as safetensors");

    private readonly CheckpointException Broken(string what) => new($"{_path}: the pickle has {what} (before byte {Place}). The file is damaged, or not one of torch.save");
}
