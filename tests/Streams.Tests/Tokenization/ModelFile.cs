using System.Buffers.Binary;
using System.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Tests.Tokenization;

/// <summary>Writes SentencePiece model files piece by piece, broken ones too.</summary>
internal sealed class ModelFile
{
    public const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    private readonly List<byte> _bytes = [];
    private readonly List<byte> _trainer = [];
    private readonly List<byte> _normalizer = [];

    public static ModelFile WithUnknown() => new ModelFile().Piece("<unk>", 0, Unknown);

    public ModelFile Piece(string text, float score, int type = Normal)
    {
        var number = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(number, score);
        return Field(_bytes, 1, [.. Message(1, Encoding.UTF8.GetBytes(text)), 0x15, .. number, 0x18, (byte)type]);
    }

    public ModelFile BytePieces()
    {
        for (var value = 0; value < 256; value++)
            Piece($"<0x{value:X2}>", 0, Byte);
        return this;
    }

    public ModelFile Trainer(int field, int value)
    {
        WriteVarint(_trainer, (ulong)field << 3);
        WriteVarint(_trainer, (ulong)value);
        return this;
    }

    public ModelFile Normalizer(int field, bool value)
    {
        WriteVarint(_normalizer, (ulong)field << 3);
        _normalizer.Add(value ? (byte)1 : (byte)0);
        return this;
    }

    public ModelFile Rules(byte[] compiled) => Field(_normalizer, 2, compiled);

    public byte[] ToBytes() => [.. _bytes, .. Message(2, [.. _trainer]), .. Message(3, [.. _normalizer])];

    public TextTokenizer Load() => Load(ToBytes());

    public static TextTokenizer Load(byte[] file)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, file);
            return TextTokenizer.Load(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private ModelFile Field(List<byte> target, int number, byte[] value)
    {
        target.AddRange(Message(number, value));
        return this;
    }

    private static byte[] Message(int number, byte[] value)
    {
        var bytes = new List<byte>();
        WriteVarint(bytes, ((ulong)number << 3) | 2);
        WriteVarint(bytes, (ulong)value.Length);
        return [.. bytes, .. value];
    }

    private static void WriteVarint(List<byte> bytes, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
    }
}
