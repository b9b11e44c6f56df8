using System.Net;
using System.Text.Json.Nodes;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Tests.Serving;

public sealed class TokenizerApiSpec
{
    [Fact]
    public async Task A_text_becomes_ids_and_the_ids_the_text()
    {
        await using var served = await ServedModel.StartAsync();
        var (status, answer) = await served.PostAsync("/tokenize", """{"prompt": "日本の夏は蝸牛。", "add_special_tokens": false}""");
        Assert.Equal(HttpStatusCode.OK, status);
        int[] ids = [.. answer["tokens"]!.AsArray().Select(id => id!.GetValue<int>())];
        Assert.Equal(served.Hub.Current.Model.Encode("日本の夏は蝸牛。"), ids);
        Assert.Equal(ids.Length, answer["count"]!.GetValue<int>());
        Assert.Equal(200, answer["max_model_len"]!.GetValue<int>());
        var (_, back) = await served.PostAsync("/detokenize", new JsonObject { ["tokens"] = new JsonArray([.. ids.Select(id => JsonValue.Create(id))]) }.ToJsonString());
        Assert.Equal("日本の夏は蝸牛。", back["prompt"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_special_token_that_a_text_spells_out_is_that_token()
    {
        await using var served = await ServedModel.StartAsync();
        var (_, answer) = await served.PostAsync("/tokenize", """{"prompt": "<s>日本の</s>"}""");
        int[] expected = [2, .. served.Hub.Current.Model.Encode("日本の"), 3];
        Assert.Equal(expected, answer["tokens"]!.AsArray().Select(id => id!.GetValue<int>()));
    }

    [Fact]
    public async Task A_conversation_becomes_the_ids_that_chat_answers()
    {
        await using var served = await ServedModel.StartAsync(template: InstructionTemplate.Recipe);
        const string messages = """{"messages": [{"role": "user", "content": "日本の首都は"}], "max_tokens": 1}""";
        var (_, answer) = await served.PostAsync("/tokenize", messages);
        var (_, chat) = await served.PostAsync("/v1/chat/completions", messages);
        Assert.Equal(chat["usage"]!["prompt_tokens"]!.GetValue<int>(), answer["count"]!.GetValue<int>());
    }

    [Fact]
    public async Task It_says_what_its_special_tokens_and_its_template_are()
    {
        await using var served = await ServedModel.StartAsync(template: InstructionTemplate.Recipe);
        var info = JsonNode.Parse(await served.Client.GetStringAsync("/tokenizer_info", TestContext.Current.CancellationToken))!;
        Assert.Equal(("<s>", "</s>", "[PAD]", "[UNK]"), (info["bos_token"]!.GetValue<string>(), info["eos_token"]!.GetValue<string>(), info["pad_token"]!.GetValue<string>(), info["unk_token"]!.GetValue<string>()));
        Assert.Equal(InstructionFiles.ToJinja(InstructionTemplate.Recipe), info["chat_template"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("/tokenize", """{}""", "prompt")]
    [InlineData("/tokenize", """{"prompt": 5}""", "prompt")]
    [InlineData("/tokenize", """{"prompt": "\ud800"}""", "prompt")]
    [InlineData("/detokenize", """{"tokens": "5"}""", "tokens")]
    [InlineData("/detokenize", """{"tokens": [5, -1]}""", "tokens")]
    [InlineData("/detokenize", """{"tokens": [2000]}""", "tokens")]
    public async Task A_mistake_has_the_shape_of_the_api(string path, string body, string parameter)
    {
        await using var served = await ServedModel.StartAsync();
        var (status, answer) = await served.PostAsync(path, body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal(parameter, answer["error"]!["param"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("/tokenize", """{"prompt": ""}""", "tokens")]
    [InlineData("/detokenize", """{"tokens": []}""", "prompt")]
    public async Task Nothing_is_nothing(string path, string body, string field)
    {
        await using var served = await ServedModel.StartAsync();
        var (status, answer) = await served.PostAsync(path, body);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.True(field == "tokens" ? answer[field]!.AsArray().Count == 0 : answer[field]!.GetValue<string>().Length == 0);
    }
}
