namespace Streaming.Model.Generation;

/// <summary>Continues one token sequence: the simplest use of a decoder.</summary>
public static class TokenGenerator
{
    /// <summary>Continues a prompt, with beams where the options ask for them. What the decoder's slots hold is forgotten.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompt">Token ids; an empty one begins with the model's BOS token.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>The added tokens, an end token included.</returns>
    /// <exception cref="GenerationException">The options or the prompt do not fit the model.</exception>
    public static IReadOnlyList<int> Generate(IDecoder decoder, ReadOnlySpan<int> prompt, GenerationOptions options, CancellationToken cancellation = default)
    {
        options.Validate(decoder.Model);
        int[] text = prompt.IsEmpty && decoder.Model.BosTokenId is { } begin ? [begin] : prompt.ToArray();
        TextRequest.CheckPrompt(text, decoder.Model, decoder.ContextLength);
        if (options.Beams > 1)
            return new BeamSearch(decoder, options).Run(text, cancellation);
        var request = new Collecting(text, options);
        var batch = new DecodingBatch(decoder);
        batch.Add(request);
        batch.RunToEnd(cancellation);
        return request.Added;
    }

    private sealed class Collecting(int[] prompt, GenerationOptions options) : TextRequest(prompt, options)
    {
        public List<int> Added { get; } = [];

        public override bool OnToken(int token)
        {
            Added.Add(token);
            return true;
        }
    }
}
