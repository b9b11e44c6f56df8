using Akka.Actor;
using Akka.Event;
using Streaming.Model;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>How good the model is and how it sounds: evaluations, the best weights, samples. The training needs none of it, so none of it ends the training.</summary>
internal sealed partial class TrainerActor
{
    private EvaluationPass? _evaluation;
    private IReadOnlyList<TokenBatch>? _heldOut;
    private bool _heldOutAsked;
    private string? _best;

    /// <summary>The first step has waited for held-out text as long as it may.</summary>
    private sealed record HeldOutIsLate(object Request);

    /// <returns>False: the text or the end of the patience is what follows.</returns>
    private bool AwaitHeldOut()
    {
        AskForHeldOut();
        if (!Timers.IsTimerActive(typeof(HeldOutIsLate)))
            After(_options.Evaluation.HeldOutPatience, new HeldOutIsLate(_continue));
        return false;
    }

    private bool Evaluate()
    {
        if (_heldOut is null)
        {
            AskForHeldOut();
            return _agenda!.PostponeEvaluation();
        }
        if (_heldOut.Count == 0)
        {
            _agenda!.Evaluated();
            return true;
        }
        try
        {
            _evaluation ??= new EvaluationPass(_heldOut);
            if (!_evaluation.Advance(_session!.Engine))
                return true;
            Publish(_session.Evaluated(_evaluation, out var isBest));
            _agenda!.Evaluated(isBest);
        }
        catch (Exception failure) when (FailureTable.KindOf(new TrainingFailedException(0, true, failure)) == FailureKind.EngineFault)
        {
            // The training needs none; the next one tries again.
            Context.GetLogger().Warning(failure, "the evaluation after step {0} failed", _session!.Step);
            SkipEvaluation(failure);
        }
        _evaluation = null;
        return true;
    }

    private void SkipEvaluation(Exception failure)
    {
        Publish(new TrainerProtocol.EvaluationFailed(_session!.Step, failure.FirstLine()));
        _agenda!.Evaluated();
    }

    private void OnNotHeldOut(Exception failure)
    {
        _heldOutAsked = false;
        if (_agenda is not { } agenda)
            return;
        var isMissed = agenda.Evaluating;
        Do(_ =>
        {
            agenda.HeldOutIsThere();
            if (isMissed)
                SkipEvaluation(failure);
        });
    }

    private void AskForHeldOut()
    {
        if (_heldOutAsked)
            return;
        _heldOutAsked = true;
        _pipeline.Tell(new PipelineProtocol.GetHeldOut());
    }

    /// <summary>The training is done and kept: what follows is shown by the best weights.</summary>
    private bool LoadBest()
    {
        _agenda!.BestLoaded();
        try
        {
            if (_parts.Store.FindBest() is not { } best)
                return true;
            best.RestoreInto(_session!.Engine);
            _best = best.Folder;
        }
        catch (ModelException failure)
        {
            Publish(new RunProtocol.Noticed($"the best checkpoint could not be loaded: {failure.FirstLine()}"));
        }
        return true;
    }

    private bool Sample()
    {
        _agenda!.SampleTaken();
        var asked = _sample;
        _sample = null;
        try
        {
            var text = asked is { } request
                ? TextSample.Generate(_options, _session!.Engine, request.Wanted)
                : TextSample.Generate(_options, _session!.Engine);
            Publish(new TrainerProtocol.SampleGenerated(_session.Step, asked?.Wanted.Prompt ?? _options.Evaluation.SamplePrompt, text));
            asked?.By.Tell(new ControlProtocol.Done(_session.Step, $"sampled after step {_session.Step}", text));
        }
        catch (ModelException mistake) when (asked is not null)
        {
            asked.Value.By.Tell(new ControlProtocol.Failed(mistake.Message));
        }
        catch (Exception failure)
        {
            // A sample changes nothing of the training: no reason to go back.
            Context.GetLogger().Error(failure, "the sample could not be generated");
            Publish(new RunProtocol.Noticed($"the sample could not be generated: {failure.FirstLine()}"));
            asked?.By.Tell(new ControlProtocol.Failed($"the sample could not be generated: {failure.FirstLine()}"));
        }
        return true;
    }
}
