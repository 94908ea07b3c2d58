using System.IO.MemoryMappedFiles;

namespace Limbeck.Checkpoints;

/// <summary>A whole file as read-only memory. Not a view of part of one, and never written.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _start;
    private bool _disposed;

    private MappedFile(string path, long length, MemoryMappedFile? file)
    {
        Path = path;
        Length = length;
        _file = file;
        if (file is not null)
        {
            _view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _start = start + _view.PointerOffset;
        }
    }

    /// <summary>As it was given.</summary>
    public string Path { get; }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>Maps a file; an empty one is legal here and has no bytes.</summary>
    /// <exception cref="CheckpointException">There is no such file, or it cannot be read.</exception>
    public static MappedFile Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new CheckpointException($"{path}: is a directory; a file is needed");
        }
        if (!File.Exists(path))
        {
            throw new CheckpointException($"{path}: there is no such file");
        }
        FileStream? stream = null;
        MemoryMappedFile? file = null;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 1);
            long length = stream.Length;
            if (length == 0)
            {
                stream.Dispose();
                return new MappedFile(path, 0, null);
            }
            file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new MappedFile(path, length, file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            file?.Dispose();
            stream?.Dispose();
            throw new CheckpointException($"{path}: cannot be read: {error.Message}", error);
        }
    }

    /// <summary>Some of the file's bytes; the caller has checked that they are there.</summary>
    public ReadOnlySpan<byte> Slice(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (offset < 0 || length < 0 || offset > Length - length || length > int.MaxValue)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), $"{Path}: bytes {offset} to {offset} + {length} of {Length}");
        }
        return new ReadOnlySpan<byte>(_start + offset, (int)length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }
        _disposed = true;
        if (_view is not null)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
        }
        _file?.Dispose();
    }
}
