using System.Text.Json;

namespace Streaming.Hosting.Live;

/// <summary>Reads <c>metrics.jsonl</c> quickly: a buffer that is used again and no strings.</summary>
internal static class JournalReader
{
    private const int LongestLine = 1 << 16;

    /// <param name="path">The journal; none is an empty one.</param>
    /// <param name="last">Lines of later steps are left out: they are being taken again.</param>
    /// <param name="step">Told of each step.</param>
    /// <param name="evaluation">Told of each evaluation: step and loss.</param>
    public static void Read(string path, long last, Action<StepPoint> step, Action<long, double> evaluation)
    {
        if (!File.Exists(path))
            return;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        var buffer = new byte[4 * LongestLine];
        var held = 0;
        while (file.Read(buffer, held, buffer.Length - held) is var read and > 0)
        {
            held += read;
            var rest = buffer.AsSpan(0, held);
            while (rest.IndexOf((byte)'\n') is var end and >= 0)
            {
                ReadLine(rest[..end], last, step, evaluation);
                rest = rest[(end + 1)..];
            }
            if (rest.Length > LongestLine)
                return; // no journal of ours
            rest.CopyTo(buffer);
            held = rest.Length;
        }
    }

    private static void ReadLine(ReadOnlySpan<byte> line, long last, Action<StepPoint> step, Action<long, double> evaluation)
    {
        long number = -1;
        double loss = double.NaN, evaluationLoss = double.NaN, norm = double.NaN, rate = 0, speed = 0, seconds = 0, wait = 0;
        try
        {
            var json = new Utf8JsonReader(line);
            while (json.Read())
            {
                if (json.TokenType != JsonTokenType.PropertyName)
                    continue;
                if (json.ValueTextEquals("step"u8)) number = json.Read() ? json.GetInt64() : -1;
                else if (json.ValueTextEquals("loss"u8)) loss = Number(ref json);
                else if (json.ValueTextEquals("eval_loss"u8)) evaluationLoss = Number(ref json);
                else if (json.ValueTextEquals("gradient_norm"u8)) norm = Number(ref json);
                else if (json.ValueTextEquals("learning_rate"u8)) rate = Number(ref json);
                else if (json.ValueTextEquals("tokens_per_second"u8)) speed = Number(ref json);
                else if (json.ValueTextEquals("step_seconds"u8)) seconds = Number(ref json);
                else if (json.ValueTextEquals("data_wait_seconds"u8)) wait = Number(ref json);
                else json.Skip();
            }
        }
        catch (Exception broken) when (broken is JsonException or FormatException or InvalidOperationException)
        {
            return; // a line that a killed process left half written
        }
        if (number < 0 || number > last)
            return;
        if (!double.IsNaN(evaluationLoss))
            evaluation(number, evaluationLoss);
        else if (!double.IsNaN(loss))
            step(new StepPoint((int)number, (float)loss, (float)norm, (float)rate, (float)speed, (float)(wait / Math.Max(seconds, 1e-9))));
    }

    private static double Number(ref Utf8JsonReader json)
    {
        json.Read();
        return json.TokenType == JsonTokenType.Number ? json.GetDouble() : double.NaN;
    }
}
