// What choosing the next token costs the host, beside the model: a decoder that hands out made-up logits at once.
//
//     dotnet run -c Release benchmarks/ranking.cs
//
// Three beams, drawn, without repeated bigrams, over 50,257 tokens; and 64 texts drawn at once, in the recipe's way and among all tokens.
#:project ../src/Model/Model.csproj
#:property PublishAot=false
#:property Optimize=true

using System.Diagnostics;
using System.Globalization;
using Streaming.Model;
using Streaming.Model.Generation;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
const int steps = 256;
var recipe = new GenerationOptions { MaxNewTokens = steps, Sample = true, TopK = 50, TopP = 0.95, Temperature = 0.9, NoRepeatNgramSize = 2 };
for (var round = 0; round < 3; round++)
{
    using var decoder = new MadeUp(64);
    var beams = Time(() => new BeamSearch(decoder, recipe with { Beams = 3 }).Run([1, 2, 3]));
    Console.WriteLine($"three beams {beams:F3} ms a step, 64 texts: the recipe's way {Texts(recipe):F3}, all tokens {Texts(new() { MaxNewTokens = steps, Sample = true }):F3}, top-p 0.9 {Texts(new() { MaxNewTokens = steps, Sample = true, TopP = 0.9 }):F3} ms");

    double Texts(GenerationOptions options)
    {
        var batch = new DecodingBatch(decoder);
        for (var i = 0; i < 64; i++)
            batch.Add(new Silent([i, 2], options with { Seed = i }));
        while (batch.Waiting > 0)
            batch.Step();
        return Time(() => batch.RunToEnd());
    }
}

static double Time(Action work)
{
    var began = Stopwatch.GetTimestamp();
    work();
    return Stopwatch.GetElapsedTime(began).TotalMilliseconds / steps;
}

internal sealed class Silent(int[] prompt, GenerationOptions options) : TextRequest(prompt, options)
{
    public override bool OnToken(int token) => true;
}

/// <summary>Logits with a few likely tokens and a long tail, another shift of them each time; a step costs what it takes to copy them.</summary>
internal sealed class MadeUp : IDecoder
{
    private readonly int[] _lengths;
    private readonly float[] _source;
    private int _pass;

    public MadeUp(int slots)
    {
        _lengths = new int[slots];
        var random = new Random(1);
        _source = [.. Enumerable.Range(0, 2 * Model.VocabularySize).Select(_ => (float)(3 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    public MistralConfig Model { get; } = new()
    {
        VocabularySize = 50257, HiddenSize = 8, IntermediateSize = 8, LayerCount = 1, HeadCount = 1, KeyValueHeadCount = 1, HeadSize = 8, MaxPositions = 1024,
    };

    public int Slots => _lengths.Length;
    public int ContextLength => 1024;
    public int MaxTokensInPass => 1024;
    public int Length(int slot) => _lengths[slot];
    public void Truncate(int slot, int length) => _lengths[slot] = length;

    public void Copy(ReadOnlySpan<SlotCopy> copies)
    {
        foreach (var (from, to) in copies)
            _lengths[to] = _lengths[from];
    }

    public void Forward(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, LogitRows rows, Span<float> logits)
    {
        for (var i = 0; i < parts.Length; i++)
        {
            _lengths[parts[i].Slot] += parts[i].Count;
            if (rows != LogitRows.None)
                _source.AsSpan(_pass++ * 7919 % Model.VocabularySize, Model.VocabularySize).CopyTo(logits[(i * Model.VocabularySize)..]);
        }
    }

    public void Dispose()
    {
    }
}
