namespace Limbeck.Tensors.Memory;

/// <summary>
/// The memory of one training step or one inference call: blocks are taken and given back in any order, and <see cref="Reset"/> gives all of them back
/// at once. The memory itself is kept from step to step, so that a steady state allocates nothing.
/// </summary>
/// <remarks>Not thread-safe: kernels run on many threads, but tensors are made and released by one. Best fit with coalescing, over a few large chunks.</remarks>
public sealed unsafe class Arena : IDisposable
{
    private const long Granule = 16; // floats: one 64-byte line, so that every block is aligned
    private const long SmallestChunk = 4L << 20; // floats: 16 MB

    private readonly List<NativeBuffer> chunks = [];
    private readonly List<Block> free = []; // by address
    private readonly Dictionary<nint, long> taken = [];

    /// <summary>Floats reserved from the system.</summary>
    public long Reserved { get; private set; }

    /// <summary>Floats taken now.</summary>
    public long InUse { get; private set; }

    /// <summary>The most that was ever taken at once, in floats.</summary>
    public long Peak { get; private set; }

    /// <summary>Takes a block of undefined contents, aligned to 64 bytes.</summary>
    /// <param name="length">Number of floats; 0 is legal.</param>
    /// <returns>The block's first float.</returns>
    public float* Take(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        long size = Math.Max(Granule, (length + Granule - 1) / Granule * Granule);
        int best = -1;
        for (int i = 0; i < free.Count; i++)
        {
            if (free[i].Size >= size && (best < 0 || free[i].Size < free[best].Size))
            {
                best = i;
            }
        }

        if (best < 0)
        {
            best = Grow(size);
        }

        Block block = free[best];
        if (block.Size == size)
        {
            free.RemoveAt(best);
        }
        else
        {
            free[best] = block with { Address = block.Address + (nint)(size * sizeof(float)), Size = block.Size - size };
        }

        taken.Add(block.Address, size);
        InUse += size;
        Peak = Math.Max(Peak, InUse);
        return (float*)block.Address;
    }

    /// <summary>Gives one block back.</summary>
    /// <param name="pointer">What <see cref="Take"/> returned.</param>
    /// <exception cref="ArgumentException">The block is not one that is taken now.</exception>
    public void Give(float* pointer)
    {
        if (!taken.Remove((nint)pointer, out long size))
        {
            throw new ArgumentException("this block was not taken from the arena, or was given back before", nameof(pointer));
        }

        InUse -= size;
        Insert((nint)pointer, size);
    }

    /// <summary>Gives all blocks back; every pointer from this arena is void afterwards. Several chunks are merged into one of the same total, so that fragmentation does not outlast a step.</summary>
    public void Reset()
    {
        taken.Clear();
        free.Clear();
        InUse = 0;
        if (chunks.Count > 1)
        {
            long total = Reserved;
            foreach (NativeBuffer chunk in chunks)
            {
                chunk.Dispose();
            }

            chunks.Clear();
            Reserved = 0;
            Grow(total);
            return;
        }

        foreach (NativeBuffer chunk in chunks)
        {
            free.Add(new Block((nint)chunk.Pointer, chunk.Length, chunk));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (NativeBuffer chunk in chunks)
        {
            chunk.Dispose();
        }

        chunks.Clear();
        free.Clear();
        taken.Clear();
        Reserved = InUse = 0;
    }

    private int Grow(long size)
    {
        NativeBuffer chunk = new(Math.Max(size, Math.Max(SmallestChunk, Reserved / 4 / Granule * Granule)), clear: false);
        chunks.Add(chunk);
        Reserved += chunk.Length;
        Block block = new((nint)chunk.Pointer, chunk.Length, chunk);
        int at = Position(block.Address);
        free.Insert(at, block);
        return at;
    }

    private int Position(nint address)
    {
        int low = 0;
        int high = free.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (free[middle].Address < address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private void Insert(nint address, long size)
    {
        NativeBuffer chunk = Owner(address);
        int at = Position(address);
        Block block = new(address, size, chunk);
        if (at < free.Count && free[at].Chunk == chunk && address + (nint)(size * sizeof(float)) == free[at].Address)
        {
            block = block with { Size = size + free[at].Size };
            free.RemoveAt(at);
        }

        if (at > 0 && free[at - 1].Chunk == chunk && free[at - 1].Address + (nint)(free[at - 1].Size * sizeof(float)) == address)
        {
            free[at - 1] = free[at - 1] with { Size = free[at - 1].Size + block.Size };
            return;
        }

        free.Insert(at, block);
    }

    private NativeBuffer Owner(nint address)
    {
        foreach (NativeBuffer chunk in chunks)
        {
            if (address >= (nint)chunk.Pointer && address < (nint)(chunk.Pointer + chunk.Length))
            {
                return chunk;
            }
        }

        throw new InvalidOperationException("the arena lost track of a block");
    }

    private readonly record struct Block(nint Address, long Size, NativeBuffer Chunk);
}
