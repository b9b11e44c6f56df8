using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Live;

/// <summary>
/// The curves of a run from its first step on, those of earlier processes read from <c>metrics.jsonl</c>. After a rollback the
/// steps that are taken again are forgotten, as the journal forgets them. Thread-safe.
/// </summary>
internal sealed class RunHistory : IRunObserver
{
    private readonly Lock _lock = new();
    private readonly List<(long Step, double Loss)> _evaluations = [];
    private StepSeries _steps = new();
    private List<StepPoint>? _meanwhile;
    private bool _begun;

    /// <summary>Completes once the earlier processes' steps are there.</summary>
    public Task Loading { get; private set; } = Task.CompletedTask;

    public void Observe(RunProtocol.IEvent happened)
    {
        switch (happened)
        {
            case RunProtocol.Started started:
                Begin(started);
                break;
            case TrainerProtocol.StepCompleted step:
                lock (_lock)
                {
                    if (_meanwhile is not null)
                        _meanwhile.Add(StepPoint.Of(step));
                    else
                        _steps.Add(StepPoint.Of(step));
                }
                break;
            case TrainerProtocol.EvaluationCompleted evaluation:
                lock (_lock)
                    _evaluations.Add((evaluation.Step, evaluation.Loss));
                break;
        }
    }

    /// <summary>
    /// A range of steps in so many buckets at most: means, and for the loss the least and the greatest too, so that no spike
    /// is averaged away; and as many evaluations.
    /// </summary>
    public void Write(Utf8JsonWriter json, long from, long to, int buckets)
    {
        lock (_lock)
        {
            var (first, end) = (_steps.Find(from), to == long.MaxValue ? _steps.Count : _steps.Find(to + 1));
            var size = Math.Max(1, (end - first + buckets - 1) / buckets);
            json.WriteStartObject();
            WriteColumn(json, "step", first, end, size, (at, n) => _steps[at + n - 1].Step, isStep: true);
            WriteColumn(json, "loss", first, end, size, (at, n) => Mean(at, n, p => p.Loss));
            if (size > 1)
            {
                WriteColumn(json, "loss_min", first, end, size, (at, n) => Enumerable.Range(at, n).Min(i => _steps[i].Loss));
                WriteColumn(json, "loss_max", first, end, size, (at, n) => Enumerable.Range(at, n).Max(i => _steps[i].Loss));
            }
            WriteColumn(json, "gradient_norm", first, end, size, (at, n) => Mean(at, n, p => p.GradientNorm));
            WriteColumn(json, "learning_rate", first, end, size, (at, n) => Mean(at, n, p => p.LearningRate));
            WriteColumn(json, "tokens_per_second", first, end, size, (at, n) => Mean(at, n, p => p.TokensPerSecond));
            WriteColumn(json, "data_wait_ratio", first, end, size, (at, n) => Mean(at, n, p => p.WaitRatio));
            json.WriteStartArray("evaluations");
            var evaluations = _evaluations.FindAll(e => e.Step >= from && e.Step <= to);
            var stride = Math.Max(1, (evaluations.Count + buckets - 1) / buckets);
            for (var index = (evaluations.Count - 1) % stride; index < evaluations.Count; index += stride) // the last one in any case
            {
                var (step, loss) = evaluations[index];
                json.WriteStartArray();
                json.WriteNumberValue(step);
                WriteNumber(json, loss);
                json.WriteEndArray();
            }
            json.WriteEndArray();
            json.WriteNumber("bucket_steps", size);
            json.WriteNumber("points", _steps.Count);
            json.WriteEndObject();
        }
    }

    /// <summary>Points beyond a step, oldest first; null where there are more than <paramref name="most"/>.</summary>
    public List<StepPoint>? After(long step, int most)
    {
        lock (_lock)
        {
            var first = _steps.Find(step + 1);
            if (_steps.Count - first > most)
                return null;
            var points = new List<StepPoint>(_steps.Count - first);
            for (var index = first; index < _steps.Count; index++)
                points.Add(_steps[index]);
            return points;
        }
    }

    /// <summary>The last evaluation and the one with the least loss, of earlier processes too; null before the first.</summary>
    public ((long Step, double Loss) Last, (long Step, double Loss) Best)? ReadEvaluations()
    {
        lock (_lock)
            return _evaluations.Count > 0 ? (_evaluations[^1], _evaluations.MinBy(evaluation => evaluation.Loss)) : null;
    }

    private void Begin(RunProtocol.Started started)
    {
        lock (_lock)
        {
            if (_begun)
            {
                _steps.Truncate(started.Step);
                _meanwhile?.RemoveAll(point => point.Step > started.Step);
                _evaluations.RemoveAll(evaluation => evaluation.Step > started.Step);
                return;
            }
            (_begun, _meanwhile) = (true, []);
        }
        Loading = Task.Run(() => Load(Path.Combine(started.RunDirectory, "metrics.jsonl"), started.Step));
    }

    /// <summary>On a thread of the pool, while the run goes on: a long run's journal has some hundred megabytes.</summary>
    private void Load(string path, long last)
    {
        var steps = new StepSeries();
        var evaluations = new List<(long Step, double Loss)>();
        try
        {
            JournalReader.Read(path, last, steps.Add, (step, loss) => evaluations.Add((step, loss)));
        }
        catch (IOException)
        {
            // The curves then begin with this process.
        }
        lock (_lock)
        {
            foreach (var point in _meanwhile!)
                steps.Add(point);
            _steps = steps;
            _evaluations.InsertRange(0, evaluations);
            _meanwhile = null;
        }
    }

    private double Mean(int first, int count, Func<StepPoint, float> value)
    {
        double sum = 0;
        for (var index = first; index < first + count; index++)
            sum += value(_steps[index]);
        return sum / count;
    }

    private static void WriteColumn(Utf8JsonWriter json, string name, int first, int end, int size, Func<int, int, double> value, bool isStep = false)
    {
        json.WriteStartArray(name);
        for (var at = first; at < end; at += size)
        {
            var number = value(at, Math.Min(size, end - at));
            if (isStep)
                json.WriteNumberValue((long)number);
            else
                WriteNumber(json, number);
        }
        json.WriteEndArray();
    }

    /// <summary>JSON has no word for what is not finite. Five digits are more than a pixel shows.</summary>
    private static void WriteNumber(Utf8JsonWriter json, double number)
    {
        if (!double.IsFinite(number))
            json.WriteNullValue();
        else
            json.WriteNumberValue(number == 0 ? 0 : double.Parse(number.ToString("G5", System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture));
    }
}
