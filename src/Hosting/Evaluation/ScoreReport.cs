using System.Globalization;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Evaluation;

/// <summary>Prints what a model scores, for people or as one JSON object a result.</summary>
internal sealed class ScoreReport(TextWriter output, bool json)
{
    /// <summary>In the words of Transformers' <c>run_clm.py</c>.</summary>
    /// <exception cref="UserErrorException">Nothing was evaluated.</exception>
    public void Print(TextScore score)
    {
        if (score.Predictions == 0)
            throw new UserErrorException("there is nothing to evaluate on: the text fills no block; give more with --source, or set data.block-size lower or data.validation-fraction higher.");
        if (!double.IsFinite(score.Loss))
            throw new UserErrorException("the model's loss on this text is not a number: its weights or the precision are at fault; try --set torch.precision=float32.", ExitCodes.Failed);
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(new
            {
                eval_loss = score.Loss,
                perplexity = double.IsFinite(score.Perplexity) ? score.Perplexity : (double?)null, // past e^709
                eval_samples = score.Samples,
                eval_tokens = score.Predictions,
                eval_runtime = score.Elapsed.TotalSeconds,
            }));
            return;
        }
        output.WriteLine("***** eval metrics *****");
        foreach (var (name, value) in new[]
        {
            ("eval_loss", score.Loss.ToString("F4", CultureInfo.InvariantCulture)),
            ("eval_runtime", Quantity.Time(score.Elapsed)),
            ("eval_samples", Quantity.Count(score.Samples)),
            ("eval_tokens", Quantity.Count(score.Predictions)),
            ("perplexity", score.Perplexity.ToString("F4", CultureInfo.InvariantCulture)),
        })
            output.WriteLine($"  {name,-12} = {value,12}");
    }

    /// <param name="task">The file, or what the questions are.</param>
    /// <param name="score">The score.</param>
    public void Print(string task, TaskScore score)
    {
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(new
            {
                task,
                questions = score.Questions,
                acc = score.Accuracy,
                acc_norm = score.AccuracyPerCharacter,
                exact_match = score.ExactMatch,
                f1 = score.F1,
            }));
            return;
        }
        output.WriteLine($"{task}: {Quantity.Count(score.Questions)} questions");
        foreach (var (name, value) in new[] { ("acc", score.Accuracy), ("acc_norm", score.AccuracyPerCharacter), ("exact_match", score.ExactMatch), ("f1", score.F1) })
        {
            if (value is { } share)
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-12} = {share,12:F4}"));
        }
    }
}
