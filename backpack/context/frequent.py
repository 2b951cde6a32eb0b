"""What is frequent in texts: pairs of letters, and characters of Chinese, Japanese and Korean.

Counted over documentation, reviews and prose. OpenAI's tokenizer o200k makes a token of what is frequent, so a word
made of frequent pairs is likely one token, and two frequent characters side by side are likely one too.
"""

from typing import Final


def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 2] for at in range(0, len(text), 2))


LETTERS: Final = _pairs(
    "abacadagaialamanaparasatauavaybabebjblbobubycacechcickclcocrctcudadedidodsdueaecedeeefelemenepeqeres"
    "etevexfafefiflfofrfugeghgigrguhahehihohtiaibicidieifigiliminioipirisitivjekelaldlelflilllolsltlulyma"
    "memimmmompnancndnengninonsntobocodofogokolomonoooporosotouovowpapepiplpoppprpsptpyqurarcrdrergrirmrn"
    "rorrrsrtrurysascseshsisospssstsusytatethtitotptrtstttutyuaubueuiulumunupurusutvaveviwawhwixtyoypysyt"
)
"""Pairs that make nine in ten of all pairs of letters in English and in code."""

HAN: Final = _pairs(
    "使用可以一个場合组件必要可能如果需要提供这个更新方法我们自己注意状態公司元素文字就是属性模板没有以下直接文件"
    "作用所有精神但是内容利用通过変更部分代码函数服务通常其他工作事件名前問題以上数据因为形式不是已经世界如何出来"
    "应用我們工具家庭用户時間一些生成返回非常登録因此説明青年第一功能活動意味会社现在任何管理问题例如不同什么对象"
    "美国开发日本调用时间的是类型完全你的指定詳細定义支持网站响应方式很多主要视频內容计算自身介绍了一状态表示实例"
    "进行他们都是下面情况同期作为软件少女写真系统运行存在用于技术这样访问内部本文一般或者操作参数发现現在里面生活"
    "包含不会组合中的己的所以发布的一普通信息完成知道程序比如設定开始处理作者应该自动浏览大的重要教育模型"
)

KANA: Final = _pairs(
    "ますしてしたいまありりまするましントックってされことですったコンからショーネませせんしまョンインこんできざい"
    "ござりがになティないングでしようょうさいいてださくだースールとうしくこれしょものリーーー・・がとそうあるきま"
    "なるではードいるバッでもートラッいたランそのスタブラにはちらすすこちためこのフィまりすめテゴカテクバんばぱい"
    "ばんっぱそんうごゴリプロそれここィーなのっとンドューゃんちゃップフォんなろしストおりクトそしだっならしかいう"
    "ライしいベンんににつットそこついかっクセジェディ私はと思見る好き例え取りの場読み知ら込み付き日は合わ読む送り"
    "当に入り楽し続き日の届けを書の他書く感じ問いお問い合払い回は"
)

HANGUL: Final = _pairs(
    "니다 있 사 그 가 이세요습니 수 아으로에서 마 하 대하는 다 인 자사용합니 시 거 모 않한다하고 컴 어 지"
    " 것 없 기지만에게 위이트 때 바 분하지 해 스있습 좋 전 일 소 되있는 보 제 만 같사람 로 프 한 우 상"
    " 된 나 반이다된다 생 여 주 무입니 동 안 내됩니 정 타 미 세 중 선 발 부 매스트 말 두들이리고 싶프로"
    " 경 함 유 들들의 드 고 오 살 데주세 속들은위해데이적으 도해야하면시간 많 서 알이라 코다고 리 더 추 못"
    " 구라는아이그러 문 에 따하세있다었다이지리는 날하게 라 감 예 배들어 통"
)
"""With the space before a word, which goes into its first token."""

SYLLABLES: Final = frozenset(
    "이다요는하에가니을지어로해고를사세의있아수기트서리한은도나스자할인보게으시면거습용포그일만컴들마드라되야성정"
    "대예부합적전제상입좋까생내데무여주러동모우때같안반더없네과와타경려소된구신위것오겠않싶분션음공너바간람함장비"
    "잘프원운선조저많죠속중말됩실화봐문유체미플행버래파변발각당출식연먹터레워히두직감방배달치진살태작호될추능받며"
    "결친값재개관심명계른든크물임남했단노언처록필었또날브코건본먼환접집못형길번열애응템키통금랑매알르근력릿티디렌"
    "업족슬옵늘링교표엘피학년커복머름점객존법따새롯좀런힘설턴불혼후현돼벤"
)
"""Of Hangul, the most frequent ones, which are a token at most."""
