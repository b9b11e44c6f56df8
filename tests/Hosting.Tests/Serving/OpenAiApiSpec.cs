using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Streaming.Hosting.Serving;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Tests.Serving;

public sealed class OpenAiApiSpec
{
    private const string Completions = "/v1/completions", Chat = "/v1/chat/completions";

    [Fact]
    public async Task A_completion_is_the_same_whole_and_in_chunks()
    {
        await using var served = await ServedModel.StartAsync();
        var (status, whole) = await served.PostAsync(Completions, """{"model": "tiny", "prompt": "日本の", "max_tokens": 12, "seed": 7, "ignore_eos": true}""");
        Assert.Equal(HttpStatusCode.OK, status);
        var text = "";
        JsonNode? last = null;
        await foreach (var chunk in served.StreamAsync(Completions, """{"model": "tiny", "prompt": "日本の", "max_tokens": 12, "seed": 7, "ignore_eos": true, "stream": true, "stream_options": {"include_usage": true}}"""))
        {
            text += chunk["choices"]!.AsArray() is [{ } choice] ? choice["text"]!.GetValue<string>() : "";
            last = chunk;
        }

        Assert.Equal(whole["choices"]![0]!["text"]!.GetValue<string>(), text);
        Assert.Equal("length", whole["choices"]![0]!["finish_reason"]!.GetValue<string>());
        Assert.Equal(12, last!["usage"]!["completion_tokens"]!.GetValue<int>());
        Assert.Equal(whole["usage"]!.ToJsonString(), last["usage"]!.ToJsonString());
    }

    [Fact]
    public async Task Echo_scores_each_token_of_a_prompt_as_generation_would()
    {
        await using var served = await ServedModel.StartAsync();
        var (_, generated) = await served.PostAsync(Completions, """{"prompt": [20, 21, 22], "max_tokens": 4, "temperature": 0, "logprobs": 1, "ignore_eos": true}""");
        var added = generated["choices"]![0]!["logprobs"]!;
        var names = added["tokens"]!.AsArray().Select(token => token!.GetValue<string>()).ToList();
        var hub = served.Hub.Current.Model.Tokenizer;
        var ids = string.Join(", ", names.Select(name => hub.PieceToId(name.Replace(' ', '\u2581'))));

        var (_, scored) = await served.PostAsync(Completions, $$"""{"prompt": [20, 21, 22, {{ids}}], "max_tokens": 0, "echo": true, "logprobs": 1}""");

        var echoed = scored["choices"]![0]!["logprobs"]!;
        Assert.Null(echoed["token_logprobs"]![0]);
        Assert.Equal(7, echoed["tokens"]!.AsArray().Count);
        Assert.Equal(names, echoed["tokens"]!.AsArray().Skip(3).Select(token => token!.GetValue<string>()));
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(added["token_logprobs"]![i]!.GetValue<float>(), echoed["token_logprobs"]![3 + i]!.GetValue<float>(), 1e-4);
            Assert.Single(echoed["top_logprobs"]![3 + i]!.AsObject()); // the greedy token is the most probable one
        }
        Assert.Equal(0, scored["usage"]!["completion_tokens"]!.GetValue<int>());
    }

    [Fact]
    public async Task A_request_as_large_as_a_batch_of_prompts_is_read()
    {
        await using var served = await ServedModel.StartAsync();
        var (status, _) = await served.PostAsync(Completions, $$"""{"prompt": "a", "max_tokens": 1, "user": "{{new string('u', 3 << 20)}}"}""");
        Assert.Equal(HttpStatusCode.OK, status);
    }

    [Fact]
    public async Task A_batch_of_token_lists_is_scored_as_evaluation_harnesses_ask_for_it()
    {
        await using var served = await ServedModel.StartAsync();
        int[][] prompts = [[20, 21, 22, 23, 24, 25], [30], [40, 41, 42]];
        string Request(string batch) => $$"""{"model": "tiny", "prompt": {{batch}}, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": true}""";
        var (status, together) = await served.PostAsync(Completions, Request(JsonSerializer.Serialize(prompts)));
        Assert.Equal(HttpStatusCode.OK, status);
        foreach (var choice in together["choices"]!.AsArray())
        {
            var prompt = prompts[choice!["index"]!.GetValue<int>()];
            var scores = choice["logprobs"]!;
            float?[] own = [.. scores["token_logprobs"]!.AsArray().Select(value => value?.GetValue<float>())];
            Assert.Equal(prompt.Length + 1, own.Length); // and the token that is generated
            Assert.Equal([0], own.Index().Where(score => score.Item is null).Select(score => score.Index));
            // Whether a token was the greedy one is told by comparing it with the highest of its list, exactly.
            Assert.All(own.Index().Skip(1), score => Assert.Contains(score.Item!.Value, scores["top_logprobs"]![score.Index]!.AsObject().Select(entry => entry.Value!.GetValue<float>())));
            var (_, alone) = await served.PostAsync(Completions, Request(JsonSerializer.Serialize(prompt)));
            float?[] single = [.. alone["choices"]![0]!["logprobs"]!["token_logprobs"]!.AsArray().Select(value => value?.GetValue<float>())];
            Assert.All(own.Zip(single).Skip(1), pair => Assert.Equal(pair.Second!.Value, pair.First!.Value, 1e-4));
        }
        Assert.Equal(3, together["choices"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]", "tools")]
    [InlineData("\"response_format\": {\"type\": \"json_object\"}", "response_format")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \" \"}]", "messages")]
    [InlineData("\"modalities\": [\"text\", \"audio\"]", "modalities")]
    [InlineData("\"modalities\": [\"text\"], \"user\": \"u\", \"store\": false, \"metadata\": {}, \"parallel_tool_calls\": false, \"service_tier\": \"auto\"", null)]
    [InlineData("\"tools\": [], \"response_format\": {\"type\": \"text\"}", null)]
    [InlineData("\"tools\": [{}], \"tool_choice\": \"none\"", null)]
    [InlineData("\"suffix\": \"\"", null)]
    [InlineData("\"n\": 1.0, \"top_k\": 5.0", null)]
    public async Task A_chat_that_asks_nothing_or_wants_more_than_text_is_refused(string fields, string? parameter)
    {
        await using var served = await ServedModel.StartAsync();
        var (status, answer) = await served.PostAsync(Chat, $$"""{"messages": [{"role": "user", "content": "空"}], "max_tokens": 2, {{fields}}}""");
        Assert.Equal(parameter is null ? HttpStatusCode.OK : HttpStatusCode.BadRequest, status);
        Assert.Equal(parameter, answer["error"]?["param"]?.GetValue<string>());
    }

    [Fact]
    public async Task A_chat_is_answered_from_the_template_it_was_tuned_in()
    {
        await using var served = await ServedModel.StartAsync();
        var (_, chat) = await served.PostAsync(Chat, """{"messages": [{"role": "user", "content": [{"type": "text", "text": "空の色は？"}]}], "max_tokens": 6, "temperature": 0, "logprobs": true, "top_logprobs": 2}""");
        var prompt = $"[{string.Join(", ", new PromptEncoder(served.Hub.Current.Model.Tokenizer, InstructionTemplate.Recipe).Encode("空の色は？", ""))}]";
        var (_, plain) = await served.PostAsync(Completions, $$"""{"prompt": {{prompt}}, "max_tokens": 6, "temperature": 0}""");

        Assert.Equal(plain["choices"]![0]!["text"]!.GetValue<string>(), chat["choices"]![0]!["message"]!["content"]!.GetValue<string>());
        Assert.Equal(2, chat["choices"]![0]!["logprobs"]!["content"]![0]!["top_logprobs"]!.AsArray().Count);
        var first = new List<JsonNode>();
        await foreach (var chunk in served.StreamAsync(Chat, """{"messages": [{"role": "user", "content": "空の色は？"}], "max_tokens": 6, "temperature": 0, "stream": true}"""))
            first.Add(chunk);
        Assert.Equal("assistant", first[0]["choices"]![0]!["delta"]!["role"]!.GetValue<string>());
        Assert.Equal("chat.completion.chunk", first[0]["object"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_conversation_is_put_in_the_template_of_the_models_folder()
    {
        await using var served = await ServedModel.StartAsync(template: new InstructionTemplate("<s>{input}Q{instruction}A", "<s>Q{instruction}A"));
        var model = served.Hub.Current.Model;
        var (text, ids) = ChatPrompt.Of(model, [("system", "文"), ("user", "一"), ("user", "二"), ("assistant", "三"), ("user", "四")]);
        Assert.Equal("<s>文Q一\n二A三</s><s>文Q四A", text);
        var encoder = model.CreatePromptEncoder();
        Assert.Equal([.. encoder.Encode("一\n二", "文"), .. model.Encode("三"), model.Tokenizer.EosId!.Value, .. encoder.Encode("四", "文")], ids);

        var (_, chat) = await served.PostAsync(Chat, """{"messages": [{"role": "user", "content": "空"}], "max_tokens": 4, "temperature": 0}""");
        var (_, plain) = await served.PostAsync(Completions, $$"""{"prompt": [{{string.Join(", ", encoder.Encode("空", ""))}}], "max_tokens": 4, "temperature": 0}""");
        Assert.Equal(plain["choices"]![0]!["text"]!.GetValue<string>(), chat["choices"]![0]!["message"]!["content"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("""{"prompt": ""}""", 400, "prompt")]
    [InlineData("""{"prompt": []}""", 400, "prompt")]
    [InlineData("""{"prompt": [[]]}""", 400, "prompt")]
    [InlineData("""{"prompt": [1, "a"]}""", 400, "prompt")]
    [InlineData("""{"prompt": [2000]}""", 400, "prompt")]
    [InlineData("""{"prompt": [-1]}""", 400, "prompt")]
    [InlineData("""{"prompt": {"a": 1}}""", 400, "prompt")]
    [InlineData("""{}""", 400, "prompt")]
    [InlineData("""{"prompt": "a", "model": "other"}""", 404, "model")]
    [InlineData("""{"prompt": "a", "temperature": "hot"}""", 400, "temperature")]
    [InlineData("""{"prompt": "a", "top_p": 0}""", 400, "top_p")]
    [InlineData("""{"prompt": "a", "max_tokens": 0}""", 400, "max_tokens")]
    [InlineData("""{"prompt": "a", "n": 1000000}""", 400, "n")]
    [InlineData("""{"prompt": "a", "logprobs": 21}""", 400, "logprobs")]
    [InlineData("""{"prompt": "a", "stop": [""]}""", 400, "stop")]
    [InlineData("""{"prompt": "a", "logit_bias": {"x": 1}}""", 400, "logit_bias")]
    [InlineData("""{"prompt": "a", "logit_bias": {"2000": 1}}""", 400, "logit_bias")]
    [InlineData("""{"prompt": "a", "seed": 1.5}""", 400, "seed")]
    [InlineData("""{"prompt": "a", "max_tokens": 1e400}""", 400, "max_tokens")]
    [InlineData("""{"prompt": "a", "suffix": "b"}""", 400, "suffix")]
    [InlineData("""{"prompt": "a", "n": 100}""", 400, "n")]
    [InlineData("""{"prompt": "a", "stream": true, "stream_options": 5}""", 400, "stream_options")]
    [InlineData("""{"prompt": "\ud83d"}""", 400, "prompt")]
    [InlineData("""{"prompt": "a", "functions": [{"name": "f"}]}""", 400, "functions")]
    [InlineData("[]", 400, null)]
    [InlineData("{\"prompt\": ", 400, null)]
    [InlineData("", 400, null)]
    public async Task A_mistake_has_the_shape_of_the_api(string body, int status, string? parameter)
    {
        await using var served = await ServedModel.StartAsync();
        var (code, answer) = await served.PostAsync(Completions, body);

        Assert.Equal(status, (int)code);
        Assert.Equal("invalid_request_error", answer["error"]!["type"]!.GetValue<string>());
        Assert.Equal(parameter, answer["error"]!["param"]?.GetValue<string>());
        Assert.NotEmpty(answer["error"]!["message"]!.GetValue<string>());
    }

    [Fact]
    public async Task What_is_too_long_says_so_in_the_code_that_programs_go_by()
    {
        await using var served = await ServedModel.StartAsync();
        var text = new string('あ', 34_000); // 100 kB
        foreach (var (path, body, field) in new[]
        {
            (Completions, $$"""{"prompt": "{{text}}"}""", "prompt"),
            (Chat, $$"""{"messages": [{"role": "user", "content": "{{text}}"}]}""", "messages"),
        })
        {
            var (status, answer) = await served.PostAsync(path, body);
            Assert.Equal((HttpStatusCode.BadRequest, field, "context_length_exceeded"), (status, answer["error"]!["param"]!.GetValue<string>(), answer["error"]!["code"]!.GetValue<string>()));
        }
    }

    [Fact]
    public async Task More_than_fits_is_refused_with_429_and_what_was_taken_is_answered()
    {
        await using var served = await ServedModel.StartAsync(new ServeOptions { ModelPath = "", Name = "tiny", Slots = 1, MaxWaiting = 1 });
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => served.PostAsync(Completions, """{"prompt": "日本の", "max_tokens": 150, "ignore_eos": true}""")));

        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.All(answers, answer => Assert.True(answer.Status is HttpStatusCode.OK or HttpStatusCode.TooManyRequests));
        Assert.All(answers.Where(answer => answer.Status == HttpStatusCode.OK), answer => Assert.Equal(150, answer.Answer["usage"]!["completion_tokens"]!.GetValue<int>()));
        var refused = answers.First(answer => answer.Status == HttpStatusCode.TooManyRequests).Answer;
        Assert.Equal("rate_limit_error", refused["error"]!["type"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_client_that_leaves_frees_its_place()
    {
        await using var served = await ServedModel.StartAsync(new ServeOptions { ModelPath = "", Name = "tiny", Slots = 1, MaxWaiting = 0 });
        await foreach (var _ in served.StreamAsync(Completions, """{"prompt": "日本の", "max_tokens": 190, "ignore_eos": true, "stream": true}"""))
            break;

        var status = HttpStatusCode.TooManyRequests;
        for (var i = 0; i < 200 && status == HttpStatusCode.TooManyRequests; i++)
        {
            (status, _) = await served.PostAsync(Completions, """{"prompt": "日本の", "max_tokens": 1}""");
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
        Assert.Equal(HttpStatusCode.OK, status);
    }

    [Fact]
    public async Task A_newer_checkpoint_takes_over_without_a_request_lost()
    {
        await using var served = await ServedModel.StartAsync();
        var chunks = 0;
        var fingerprints = new HashSet<string>();
        await foreach (var chunk in served.StreamAsync(Completions, """{"prompt": "日本の", "max_tokens": 150, "ignore_eos": true, "stream": true}"""))
        {
            if (chunks++ == 0)
            {
                served.AddCheckpoint("step-00000002", seed: 2);
                served.Hub.Refresh();
                var (_, other) = await served.PostAsync(Completions, """{"prompt": "日本の", "max_tokens": 1}""");
                Assert.Equal("step-00000002", other["system_fingerprint"]!.GetValue<string>());
            }
            fingerprints.Add(chunk["system_fingerprint"]!.GetValue<string>());
        }
        Assert.Equal(["step-00000001"], fingerprints);
        // What the model that is gone has generated and read still counts: its 150 tokens, the other's one, the prompt twice.
        var metrics = await served.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Contains("streaming_serving_generated_tokens_total 151\n", metrics);
        Assert.Matches(@"streaming_serving_prompt_tokens_total [1-9]\d*\n", metrics);
        Assert.StartsWith("serving ", Assert.Single(served.Notices));
    }

    [Fact]
    public async Task A_damaged_checkpoint_is_named_and_the_old_one_stays()
    {
        await using var served = await ServedModel.StartAsync();
        served.AddCheckpoint("step-00000002", seed: 2);
        served.Damage("step-00000002");
        served.Hub.Refresh();
        served.Hub.Refresh(); // said once

        var (status, answer) = await served.PostAsync(Completions, """{"prompt": "日本の", "max_tokens": 1}""");

        Assert.Equal((HttpStatusCode.OK, "step-00000001"), (status, answer["system_fingerprint"]!.GetValue<string>()));
        Assert.Contains("is not served, step-00000001 stays", Assert.Single(served.Notices));
    }

    [Fact]
    public async Task What_is_not_there_is_refused_in_shape_and_models_and_metrics_are_told()
    {
        await using var served = await ServedModel.StartAsync();
        using var missing = await served.Client.GetAsync("/v1/embeddings", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        Assert.Contains("\"error\"", await missing.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        using var method = await served.Client.GetAsync(Completions, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, method.StatusCode);
        Assert.Contains("\"id\":\"tiny\"", await served.Client.GetStringAsync("/v1/models", TestContext.Current.CancellationToken));
        Assert.Contains("\"id\":\"tiny\"", await served.Client.GetStringAsync("/v1/models/tiny", TestContext.Current.CancellationToken));
        Assert.Contains("streaming_serving_requests_total", await served.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken));
    }
}
