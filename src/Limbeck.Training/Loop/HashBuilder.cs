using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Limbeck.Training.Loop;

/// <summary>A key made of named values: the same names and values give the same key, in whatever order they were added.</summary>
/// <remarks>SHA-256 over the pairs sorted by name, each text led by its length, so no two different sets of pairs are the same bytes.</remarks>
public sealed class HashBuilder
{
    private readonly SortedDictionary<string, string> values = new(StringComparer.Ordinal);

    /// <summary>Adds a text.</summary>
    /// <param name="name">What it is; once only.</param>
    /// <param name="value">The text.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name was added before.</exception>
    public HashBuilder Add(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (!values.TryAdd(name, value))
        {
            throw new ArgumentException($"the hash has a value named '{name}' already; each name counts once.", nameof(name));
        }

        return this;
    }

    /// <summary>Adds a whole number.</summary>
    /// <param name="name">What it is; once only.</param>
    /// <param name="value">The number.</param>
    /// <returns>This builder.</returns>
    public HashBuilder Add(string name, long value) => Add(name, value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Adds a number, to its last bit.</summary>
    /// <param name="name">What it is; once only.</param>
    /// <param name="value">The number.</param>
    /// <returns>This builder.</returns>
    public HashBuilder Add(string name, double value) => Add(name, value.ToString("R", CultureInfo.InvariantCulture));

    /// <summary>Adds a truth value.</summary>
    /// <param name="name">What it is; once only.</param>
    /// <param name="value">The value.</param>
    /// <returns>This builder.</returns>
    public HashBuilder Add(string name, bool value) => Add(name, value ? "true" : "false");

    /// <summary>The key: 64 lower-case hexadecimal digits.</summary>
    public string ToKey()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, string value) in values)
        {
            Append(hash, name);
            Append(hash, value);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
