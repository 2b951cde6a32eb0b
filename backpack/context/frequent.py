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
    "使用可以一个组件如果場合需要可能这个我們元素提供是一必要我们更新模板公司方法就是自己没有文件所有了一函数作用"
    "但是直接注意内容属性一些状態通过以下的一应用代码其他部分服务事件不是工具中的工作通常已经返回因为利用对象不同"
    "数据开发非常功能你的例如因此変更调用用户任何文字支持面的的是內容用于問題美国现在生成什么问题第一如何他们时间"
    "这样一种形式世界响应定义这些管理都是网站方式这种类型很多状态视频模型系统介绍计算下面完全指定主要实例不会登録"
    "进行操作技术情况本文或者表示字符作为包含运行访问软件完成里面意味参数为了信息发现存在知道组合发布程序开始所以"
    "大的应该错误比如处理浏览性能作者自动的人一般新的名前添加一次内部看到現在大家性的了解这是设计同期只有"
)

KANA: Final = _pairs(
    "ますするコンントしてされことしたティですってできしまありックショートようからインれるではないのでためンスった"
    "あるませングクトストこれプロレーこのいるスタテンードジェレンンダにはそのものになットプレンプリンいてールース"
    "さいイルくだよりでもリア"
)

HANGUL: Final = _pairs(
    "니다 있세요 사 이 수 가 컴에서 그사용하는 하으로 아 거 다 좋 자 기 인 나 마 해 같 때 없 내 에 일 안 시하고 대 않"
    " 지 어 는 모 싶 반 것 전 의 를하지 보 잘 제 생 많 위 여 바 오 상 타 로 주 동해야 더 만어요 선 함네요 속 부 너"
    "있는 경 소하면 중 정 말 스 예 한 변 먹 분 추아요 비 되으면지만 살 배 프 조 고 들 받 필 남 노 무하게 또 드 실 게"
    " 호 유 와 할 문 저 감 개 발 값 구 알 공 연트를"
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
