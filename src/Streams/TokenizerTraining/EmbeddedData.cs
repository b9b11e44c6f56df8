using System.IO.Compression;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>Tables that the assembly carries.</summary>
internal static class EmbeddedData
{
    /// <summary>
    /// SentencePiece's rules <c>nmt_nfkc</c> (NFKC, and controls and odd spaces as machine translation wants them), compiled
    /// as <c>spm_train</c> 0.1.97 writes them into each model.
    /// </summary>
    public static byte[] ReadNormalizationRules()
    {
        using var compressed = new BrotliStream(Open("nmt_nfkc.br"), CompressionMode.Decompress);
        var rules = new MemoryStream();
        compressed.CopyTo(rules);
        return rules.ToArray();
    }

    public static string ReadText(string name)
    {
        using var reader = new StreamReader(Open(name));
        return reader.ReadToEnd();
    }

    private static Stream Open(string name) =>
        typeof(EmbeddedData).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"the assembly lacks {name}");
}
