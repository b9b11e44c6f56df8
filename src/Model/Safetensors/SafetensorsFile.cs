using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;

namespace Streaming.Model.Safetensors;

/// <summary>
/// A safetensors file open for reading through a memory map: opening reads the header alone, and a tensor's pages are
/// read when it is. Large tensors are converted by all cores, and what was copied of them stops being part of the process. Not thread-safe.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private const int PieceElements = 1 << 20;

    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly Dictionary<string, TensorEntry> _byName;
    private readonly long _dataStart;
    private byte* _base;

    private SafetensorsFile(string path, MemoryMappedFile map, MemoryMappedViewAccessor view, long length)
    {
        (Path, _map, _view) = (path, map, view);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref _base);
        try
        {
            var header = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(_base, 8));
            if (header > (ulong)(length - 8))
                throw SafetensorsHeader.Refuse(path, $"its header claims {header} bytes, the file has {length}: it is cut short, or no safetensors file; copy or download it again");
            if (header > SafetensorsHeader.MaximumBytes)
                throw SafetensorsHeader.Refuse(path, $"its header has {header} bytes, more than {SafetensorsHeader.MaximumBytes}");
            _dataStart = 8 + (long)header;
            (Tensors, Metadata) = SafetensorsHeader.Read(path, new ReadOnlySpan<byte>(_base + 8, (int)header), length - _dataStart);
            _byName = Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        }
        catch
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>What the header's <c>__metadata__</c> says.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <exception cref="SafetensorsException">Missing, unreadable, damaged or hostile.</exception>
    public static SafetensorsFile Open(string path)
    {
        try
        {
            var length = new FileInfo(path).Length;
            if (length < 8)
                throw SafetensorsHeader.Refuse(path, $"it has {length} bytes, a safetensors file has at least 8; copy or download it again");
            var map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            MemoryMappedViewAccessor? view = null;
            try
            {
                view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
                return new SafetensorsFile(path, map, view, length);
            }
            catch
            {
                view?.Dispose();
                map.Dispose();
                throw;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SafetensorsException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>The tensor of that name, or null.</summary>
    public TensorEntry? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="SafetensorsException">There is none.</exception>
    public TensorEntry this[string name] => Find(name) ?? throw new SafetensorsException($"{Path} holds no tensor '{name}'");

    /// <summary>Copies a tensor of floating-point numbers (F32, F64, F16, BF16) as float32.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    /// <exception cref="SafetensorsException">No such tensor, another size, or another type.</exception>
    public void Read(string name, Span<float> destination)
    {
        Checked(name, destination.Length);
        Read(name, first: 0, destination);
    }

    /// <summary>Copies part of a tensor of floating-point numbers as float32.</summary>
    /// <param name="first">Element that the part begins at.</param>
    /// <inheritdoc cref="Read(string, Span{float})"/>
    public void Read(string name, long first, Span<float> destination)
    {
        ObjectDisposedException.ThrowIf(_base is null, this);
        var tensor = this[name];
        if (first < 0 || first + destination.Length > tensor.Count)
            throw new SafetensorsException($"{Path}: tensor '{name}' has {tensor.Count} elements, not {destination.Length} from {first} on");
        if (tensor.Type is not (TensorType.F32 or TensorType.BF16 or TensorType.F16 or TensorType.F64))
            throw new SafetensorsException($"{Path}: tensor '{name}' has the type {tensor.Type}, expected floating-point numbers");
        var size = TensorEntry.SizeOf(tensor.Type);
        var source = Data(tensor) + first * size;
        var length = destination.Length;
        fixed (float* target = destination)
        {
            var values = target;
            if (length <= PieceElements) Convert(tensor.Type, source, new Span<float>(values, length));
            else
            {
                Parallel.For(0, (length + PieceElements - 1) / PieceElements, piece =>
                {
                    var start = piece * PieceElements;
                    var count = Math.Min(PieceElements, length - start);
                    Convert(tensor.Type, source + (long)start * size, new Span<float>(values + start, count));
                    MappedPages.Release((nint)(source + (long)start * size), (long)count * size);
                });
                MappedPages.Release((nint)source, (long)length * size); // a page comes with others around it, of a piece that was done perhaps
            }
        }
    }

    private static void Convert(TensorType type, byte* source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.F32:
                new ReadOnlySpan<float>(source, destination.Length).CopyTo(destination);
                break;
            case TensorType.BF16:
                for (var i = 0; i < destination.Length; i++)
                    destination[i] = Elements.FromBFloat16(((ushort*)source)[i]);
                break;
            case TensorType.F16:
                for (var i = 0; i < destination.Length; i++)
                    destination[i] = (float)((Half*)source)[i];
                break;
            default:
                for (var i = 0; i < destination.Length; i++)
                    destination[i] = (float)((double*)source)[i];
                break;
        }
    }

    /// <summary>Copies a tensor of 64-bit integers.</summary>
    public void Read(string name, Span<long> destination)
    {
        var tensor = Checked(name, destination.Length);
        if (tensor.Type != TensorType.I64)
            throw new SafetensorsException($"{Path}: tensor '{name}' has the type {tensor.Type}, expected I64");
        fixed (long* target = destination)
            Buffer.MemoryCopy(Data(tensor), target, tensor.Bytes, tensor.Bytes);
    }

    /// <summary>A tensor of floating-point numbers as a new array.</summary>
    public float[] ReadFloats(string name)
    {
        var values = new float[this[name].Count];
        Read(name, values);
        return values;
    }

    /// <summary>A tensor of 64-bit integers as a new array.</summary>
    public long[] ReadIntegers(string name)
    {
        var values = new long[this[name].Count];
        Read(name, values);
        return values;
    }

    /// <summary>Where a tensor's first byte is mapped, valid until the file is disposed.</summary>
    internal nint Pointer(string name)
    {
        ObjectDisposedException.ThrowIf(_base is null, this);
        return (nint)Data(this[name]);
    }

    private TensorEntry Checked(string name, int count)
    {
        ObjectDisposedException.ThrowIf(_base is null, this);
        var tensor = this[name];
        return tensor.Count == count
            ? tensor
            : throw new SafetensorsException($"{Path}: tensor '{name}' has {tensor.Count} elements, expected {count}");
    }

    private byte* Data(TensorEntry tensor) => _base + _dataStart + tensor.Offset;

    public void Dispose()
    {
        if (_base is null)
            return;
        _base = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }
}
