using Streaming.Streams.TokenizerTraining;

namespace Streaming.Hosting.Terminal;

/// <summary>Shows how far the training of a tokenizer is: on a terminal in place, elsewhere a line for each round.</summary>
internal sealed class TokenizerProgress(Screen screen) : IProgress<TrainingProgress>
{
    private int _round;

    public void Report(TrainingProgress value)
    {
        string[] fields = value.Stage switch
        {
            "read" => [$"{Quantity.Count(value.Count)} sentences read"],
            "seeds" => ["looking for frequent substrings"],
            _ => [$"round {value.Round}", $"{Quantity.Count(value.Count)} pieces", $"log-likelihood {Quantity.Fixed(value.LogLikelihood)} a character"],
        };
        if (screen.IsLive)
            screen.ShowProgress(fields);
        else if (value.Round > _round)
            screen.WriteLine(string.Join("  ", fields));
        _round = value.Round;
    }
}
