using System.Text;
using Streaming.Hosting.Generation;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Evaluation;

/// <summary>What a model scores at a task; shares from 0 to 1.</summary>
/// <param name="Questions">Questions asked.</param>
/// <param name="Accuracy">Choices: the most probable one is right.</param>
/// <param name="AccuracyPerCharacter">The same by log probability a character of the choice.</param>
/// <param name="ExactMatch">Generated answers: equal to a right one.</param>
/// <param name="F1">Generated answers: characters in common with the best right one.</param>
internal sealed record TaskScore(int Questions, double? Accuracy, double? AccuracyPerCharacter, double? ExactMatch, double? F1);

/// <summary>Asks a model the questions of a task: choices by likelihood, other answers by greedy generation up to the end of the line.</summary>
internal static class TaskEvaluation
{
    public static TaskScore Run(ModelFolder model, IDecoder decoder, IReadOnlyList<TaskRecord> records, TaskPrompt prompt, int maxNewTokens, CancellationToken cancellation)
    {
        var choices = records.Where(record => record.IsChoice).ToList();
        var answers = records.Where(record => !record.IsChoice).ToList();
        var (right, rightPerCharacter) = Choose(model, decoder, choices, prompt, cancellation);
        var (exact, overlap) = Answer(model, decoder, answers, prompt, maxNewTokens, cancellation);
        return new TaskScore(
            records.Count,
            choices.Count > 0 ? (double)right / choices.Count : null, choices.Count > 0 ? (double)rightPerCharacter / choices.Count : null,
            answers.Count > 0 ? (double)exact / answers.Count : null, answers.Count > 0 ? overlap / answers.Count : null);
    }

    private static (int Right, int RightPerCharacter) Choose(ModelFolder model, IDecoder decoder, List<TaskRecord> records, TaskPrompt prompt, CancellationToken cancellation)
    {
        var likelihood = new Likelihood(decoder);
        var (right, perCharacter) = (0, 0);
        foreach (var record in records)
        {
            cancellation.ThrowIfCancellationRequested();
            var asked = prompt.Format(record);
            var before = model.Encode(asked).Length;
            double[] scores = [.. record.Choices.Select(choice =>
            {
                var whole = model.Encode(asked + choice);
                // A piece may reach from the prompt into the choice; then the choice begins with that piece.
                return whole.Length == 0 ? double.NegativeInfinity : likelihood.Score(whole, Math.Clamp(before, 1, whole.Length - 1)).LogProbability;
            })];
            right += Best(scores) == record.Label ? 1 : 0;
            perCharacter += Best([.. scores.Select((score, i) => score / Math.Max(1, record.Choices[i].Length))]) == record.Label ? 1 : 0;
        }
        return (right, perCharacter);
    }

    private static (int Exact, double Overlap) Answer(
        ModelFolder model, IDecoder decoder, List<TaskRecord> records, TaskPrompt prompt, int maxNewTokens, CancellationToken cancellation)
    {
        var (exact, overlap) = (0, 0.0);
        var batch = new DecodingBatch(decoder);
        foreach (var record in records)
        {
            var ids = prompt.Encode(record, model);
            if (ids.Length > decoder.ContextLength - maxNewTokens) // a long prompt loses its beginning, as with lm-evaluation-harness
                ids = ids[^Math.Max(1, decoder.ContextLength - maxNewTokens)..];
            // An instruction's answer ends where the model ends it; others are lines of a form.
            string[] stops = record.IsInstruction ? [] : ["\n"];
            batch.Add(new Reply(ids, new GenerationOptions { MaxNewTokens = maxNewTokens, EndTokens = model.EndTokens }, model, stops, text =>
            {
                var given = Normalize(text);
                exact += record.Answers.Any(answer => Normalize(answer) == given) ? 1 : 0;
                overlap += record.Answers.Max(answer => OverlapOf(Normalize(answer), given));
            }));
        }
        batch.RunToEnd(cancellation);
        return (exact, overlap);
    }

    private static int Best(double[] scores) => Array.IndexOf(scores, scores.Max());

    /// <summary>As JGLUE compares answers: without surrounding space, a final full stop and brackets of quotation.</summary>
    private static string Normalize(string text) => text.Normalize(NormalizationForm.FormC).Trim().TrimEnd('。', '.').Trim('「', '」', '『', '』', ' ', '\u3000');

    /// <summary>F1 over characters.</summary>
    private static double OverlapOf(string right, string given)
    {
        if (right.Length == 0 || given.Length == 0)
            return right.Length == given.Length ? 1 : 0;
        var left = right.GroupBy(character => character).ToDictionary(group => group.Key, group => group.Count());
        var common = given.GroupBy(character => character).Sum(group => Math.Min(group.Count(), left.GetValueOrDefault(group.Key)));
        return 2.0 * common / (right.Length + given.Length);
    }

    private sealed class Reply(int[] prompt, GenerationOptions options, ModelFolder model, string[] stops, Action<string> onEnd)
        : TextContinuation(prompt, options, model.Tokenizer, stops)
    {
        private readonly StringBuilder _text = new();

        protected override void OnText(string text) => _text.Append(text);

        public override void OnFinished(FinishReason reason)
        {
            base.OnFinished(reason);
            onEnd(_text.ToString());
        }
    }
}
