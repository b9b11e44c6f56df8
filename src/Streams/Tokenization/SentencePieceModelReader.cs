using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// Reads a <c>.model</c> file into a <see cref="SentencePieceModel"/>. Unknown fields are passed over and the last of a
/// repeated scalar wins, as protobuf demands. Errors: <see cref="InvalidDataException"/> that names the file, what is wrong
/// with it and what to do.
/// </summary>
internal static class SentencePieceModelReader
{
    /// <summary>The largest models in use hold a million pieces in about 20 MB.</summary>
    public const int LargestFile_bytes = 128 << 20;

    /// <summary><c>spm_train</c> makes pieces of 16 characters by default; user-defined symbols may be longer.</summary>
    public const int LongestPiece_bytes = 16 << 10;

    public static SentencePieceModel Read(string path)
    {
        var file = ReadFile(path);
        try
        {
            var model = ReadModel(file);
            if (model.Pieces.Count == 0)
                throw new FormatException("it holds no pieces");
            if (!model.HasTrainer || model.Normalizer is null)
                throw new FormatException("its trainer or normalizer settings are missing, so it is cut short");
            model.Fingerprint = Convert.ToHexStringLower(SHA256.HashData(file));
            return model;
        }
        catch (FormatException wrong)
        {
            throw new InvalidDataException(
                $"{path} is not a whole SentencePiece model: {wrong.Message}; give the .model file that spm_train wrote.", wrong);
        }
    }

    private static byte[] ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw new InvalidDataException($"{path} is a folder; give the .model file that spm_train wrote.");
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path} does not exist; give the .model file that spm_train wrote.", path);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);
        var bytes = new MemoryStream(file.CanSeek ? (int)Math.Min(file.Length, LargestFile_bytes) : 0);
        var chunk = new byte[1 << 16];
        for (int read; (read = file.Read(chunk)) > 0;)
        {
            if (bytes.Length + read > LargestFile_bytes)
                throw new InvalidDataException(
                    $"{path} is larger than {LargestFile_bytes >> 20} MiB, which no SentencePiece model is; give the .model file that spm_train wrote.");
            bytes.Write(chunk, 0, read);
        }
        return bytes.ToArray();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static SentencePieceModel ReadModel(ReadOnlySpan<byte> file)
    {
        var model = new SentencePieceModel();
        var reader = new ProtobufReader(file);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (reader.TryReadBytes(out var piece))
                        model.Pieces.Add(ReadPiece(piece, model.Pieces.Count));
                    break;
                case 2:
                    if (reader.TryReadBytes(out var trainer))
                        ReadTrainer(trainer, model);
                    break;
                case 3:
                    if (reader.TryReadBytes(out var normalizer))
                        ReadNormalizer(normalizer, model.Normalizer ??= new NormalizerSpec());
                    break;
                case 5:
                    if (reader.TryReadBytes(out var denormalizer))
                        ReadNormalizer(denormalizer, model.Denormalizer ??= new NormalizerSpec());
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        return model;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Piece ReadPiece(ReadOnlySpan<byte> message, int id)
    {
        ReadOnlySpan<byte> text = default;
        var score = 0f;
        var type = PieceType.Normal;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (reader.TryReadBytes(out var bytes))
                        text = bytes;
                    break;
                case 2:
                    if (reader.TryReadFloat(out var number))
                        score = number;
                    break;
                case 3:
                    if (reader.TryReadVarint(out var kind) && kind is >= 1 and <= 6)
                        type = (PieceType)kind;
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        if (text.IsEmpty)
            throw new FormatException($"piece {id} is empty");
        if (text.Length > LongestPiece_bytes)
            throw new FormatException($"piece {id} has {text.Length} bytes, of which at most {LongestPiece_bytes} make sense");
        if (!Utf8.IsValid(text) || text.Contains((byte)0))
            throw new FormatException($"piece {id} is not UTF-8 text");
        return new Piece(Encoding.UTF8.GetString(text), score, type);
    }

    private static void ReadTrainer(ReadOnlySpan<byte> message, SentencePieceModel model)
    {
        model.HasTrainer = true;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    if (reader.TryReadVarint(out var type) && type is >= 1 and <= 4)
                        model.Type = (ModelType)type;
                    break;
                case 24:
                    if (reader.TryReadVarint(out var suffix))
                        model.TreatWhitespaceAsSuffix = suffix != 0;
                    break;
                case 35:
                    if (reader.TryReadVarint(out var fallback))
                        model.ByteFallback = fallback != 0;
                    break;
                case 44:
                    model.UnknownSurface = ReadText(ref reader, model.UnknownSurface, whenEmpty: "");
                    break;
                case 46:
                    model.BosPiece = ReadText(ref reader, model.BosPiece, whenEmpty: "<s>");
                    break;
                case 47:
                    model.EosPiece = ReadText(ref reader, model.EosPiece, whenEmpty: "</s>");
                    break;
                case 48:
                    model.PadPiece = ReadText(ref reader, model.PadPiece, whenEmpty: "<pad>");
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private static string ReadText(ref ProtobufReader reader, string current, string whenEmpty) =>
        !reader.TryReadBytes(out var text) ? current : text.IsEmpty ? whenEmpty : Encoding.UTF8.GetString(text);

    private static void ReadNormalizer(ReadOnlySpan<byte> message, NormalizerSpec spec)
    {
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    if (reader.TryReadBytes(out var rules))
                        spec.CompiledRules = rules.ToArray();
                    break;
                case 3:
                    if (reader.TryReadVarint(out var prefix))
                        spec.AddDummyPrefix = prefix != 0;
                    break;
                case 4:
                    if (reader.TryReadVarint(out var remove))
                        spec.RemoveExtraWhitespaces = remove != 0;
                    break;
                case 5:
                    if (reader.TryReadVarint(out var escape))
                        spec.EscapeWhitespaces = escape != 0;
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }
}
