using System.Runtime.InteropServices;
using System.Text;
using LLama.Native;

namespace Streaming.Hosting.Tests.Generation;

/// <summary>A GGUF file in llama.cpp itself (the library that LLamaSharp brings), on one thread.</summary>
internal sealed class LlamaCpp : IDisposable
{
    private static readonly Lazy<string?> _missing = new(Start);
    private static readonly StringBuilder _log = new();

    private readonly SafeLlamaModelHandle _model;

    private LlamaCpp(SafeLlamaModelHandle model) => _model = model;

    public SafeLlamaModelHandle.Vocabulary Vocabulary => _model.Vocab;

    /// <summary>Loads a file with its weights, each checked for numbers that are none; skips the test where llama.cpp does not run.</summary>
    public static LlamaCpp Load(string path)
    {
        if (_missing.Value is { } reason)
            Assert.Skip($"llama.cpp does not run here: {reason}");
        var parameters = LLamaModelParams.Default();
        parameters.check_tensors = true;
        try
        {
            return new LlamaCpp(SafeLlamaModelHandle.LoadFromFile(path, parameters));
        }
        catch (Exception refused) when (refused is not OutOfMemoryException)
        {
            lock (_log)
                throw new InvalidOperationException($"llama.cpp refuses {path}: {_log}", refused);
        }
    }

    public int[] Tokenize(string text, bool addSpecial = false) => [.. _model.Tokenize(text, addSpecial, special: false, Encoding.UTF8).Select(token => (int)token)];

    public string Decode(IEnumerable<int> ids)
    {
        var bytes = new List<byte>();
        var piece = new byte[512];
        foreach (var id in ids)
            bytes.AddRange(piece.AsSpan(0, (int)_model.TokenToSpan(id, piece, lstrip: 0, special: false)));
        return Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(bytes));
    }

    /// <summary>How the file says that conversations are put; null where it does not.</summary>
    public string? ChatTemplate => _model.GetTemplate(name: null, strict: false);

    /// <summary>The tokens at which llama.cpp ends a text.</summary>
    public int[] EndTokens() => [.. Enumerable.Range(0, Vocabulary.Count).Where(id => ((LLamaToken)id).IsEndOfGeneration(Vocabulary))];

    /// <summary>The logits behind each token of a text, in one pass.</summary>
    public float[][] Logits(IReadOnlyList<int> ids)
    {
        using var context = NewContext(ids.Count);
        var batch = new LLamaBatch();
        foreach (var (place, id) in ids.Index())
            batch.Add(id, place, LLamaSeqId.Zero, logits: true);
        Assert.Equal(DecodeResult.Ok, context.Decode(batch));
        return [.. ids.Select((_, place) => context.GetLogitsIth(place).ToArray())];
    }

    /// <summary>Continues a text with the most probable tokens, one pass each.</summary>
    public int[] Greedy(IReadOnlyList<int> prompt, int count)
    {
        using var context = NewContext(prompt.Count + count);
        var batch = new LLamaBatch();
        foreach (var (place, id) in prompt.Index())
            batch.Add(id, place, LLamaSeqId.Zero, logits: place == prompt.Count - 1);
        var added = new List<int>();
        while (true)
        {
            Assert.Equal(DecodeResult.Ok, context.Decode(batch));
            added.Add(Highest(context.GetLogitsIth(batch.TokenCount - 1)));
            if (added.Count == count)
                return [.. added];
            batch.Clear();
            batch.Add(added[^1], prompt.Count + added.Count - 1, LLamaSeqId.Zero, logits: true);
        }
    }

    public void Dispose() => _model.Dispose();

    private SafeLLamaContextHandle NewContext(int tokens)
    {
        var parameters = LLamaContextParams.Default();
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = (uint)tokens;
        // Else keys and values are rounded to fp16, whatever the weights are: 0.04 of logits that spread over 12.
        parameters.type_k = parameters.type_v = GGMLType.GGML_TYPE_F32;
        parameters.llama_flash_attn_type = LLamaFlashAttentionType.LLAMA_FLASH_ATTENTION_TYPE_DISABLED;
        parameters.n_threads = parameters.n_threads_batch = 1;
        return SafeLLamaContextHandle.Create(_model, parameters);
    }

    private static int Highest(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
            best = logits[i] > logits[best] ? i : best;
        return best;
    }

    /// <summary>Null once it runs, else why it does not.</summary>
    private static string? Start()
    {
        var library = Path.Combine(AppContext.BaseDirectory, "llama.cpp", "libllama.so");
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return $"the library that the tests bring is for Linux on x64, this is {RuntimeInformation.RuntimeIdentifier}";
        // Its kernels need OpenMP of GCC, which a machine without a compiler may lack.
        if (!NativeLibrary.TryLoad("libgomp.so.1", out _))
            return "libgomp.so.1 is missing (apt install libgomp1)";
        NativeLibraryConfig.LLama.WithLibrary(library).WithLogCallback((level, message) =>
        {
            if (level is not (LLamaLogLevel.Warning or LLamaLogLevel.Error))
                return;
            lock (_log)
                _log.Append(message);
        });
        try
        {
            NativeApi.llama_empty_call();
            return null;
        }
        catch (Exception failure) when (failure is TypeInitializationException or DllNotFoundException or LLama.Exceptions.RuntimeError)
        {
            return (failure.InnerException ?? failure).Message;
        }
    }
}
